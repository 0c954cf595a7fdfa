"""SMS."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured

from . import Message, PermanentDeliveryError

#: What SNS says of a message that it will never take, in its codes.
_PERMANENT = {"InvalidParameter", "InvalidParameterValue", "OptedOut", "ParameterValueInvalid"}


class SnsProvider:
    """SMS through Amazon SNS or anything that speaks its protocol. Needs the extra `sms`.

    SNS knows no repetition of an SMS: when a worker dies between its answer and our note of it, the SMS comes twice.

    Args:
        region_name: such as `eu-west-1`.
        endpoint_url: of another service than Amazon's.
        sender_id: what the phone shows as the sender, where the country allows it.
        aws_access_key_id, aws_secret_access_key: empty: boto3 looks where it always does (environment, role).
        timeout: seconds to wait for a connection, and for an answer.
    """

    def __init__(
        self,
        *,
        region_name: str,
        endpoint_url: str = "",
        sender_id: str = "",
        aws_access_key_id: str = "",
        aws_secret_access_key: str = "",
        timeout: float = 10,
    ) -> None:
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise ImproperlyConfigured('SnsProvider needs pip install "fashionistar-common[sms]".') from error
        self.sender_id = sender_id
        self.client = boto3.client(  # type: ignore[no-untyped-call]
            "sns",
            region_name=region_name,
            endpoint_url=endpoint_url or None,
            aws_access_key_id=aws_access_key_id or None,
            aws_secret_access_key=aws_secret_access_key or None,
            # One attempt: the task tries again, and a second one here could be a second SMS.
            config=Config(  # type: ignore[no-untyped-call]
                connect_timeout=timeout, read_timeout=timeout, retries={"total_max_attempts": 1}
            ),
        )

    def send(self, message: Message) -> str:
        from botocore.exceptions import ClientError

        attributes: dict[str, Any] = {"AWS.SNS.SMS.SMSType": _text("Transactional")}
        if self.sender_id:
            attributes["AWS.SNS.SMS.SenderID"] = _text(self.sender_id)
        try:
            answer = self.client.publish(PhoneNumber=message.to, Message=message.text, MessageAttributes=attributes)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _PERMANENT:
                raise PermanentDeliveryError(f"SNS refuses it: {code}") from error
            raise
        return str(answer["MessageId"])


def _text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}
