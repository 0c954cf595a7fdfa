"""The one error that the launching code shows to a person."""


class LaunchError(Exception):
    """Something cannot be started; the message is one sentence that says why and what to do."""
