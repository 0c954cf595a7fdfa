"""What this project must answer; `call` is tests/packaging/calling.py."""

PASSWORD = "a-long-and-unlikely-passphrase"

#: Run with `python -m django` before the server starts.
COMMANDS = [["createsuperuser", "--noinput", "--email", "root@example.com"]]
ENVIRONMENT = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD}


def journey(call):
    """Somebody registers; the superuser logs in at one version and is known at the other; tokens rotate."""
    for version, other in (("v1", "v2"), ("v2", "v1")):
        api = f"/api/{version}/auth"
        new = {"email": f"amara-{version}@example.com", "password": PASSWORD}
        call("POST", f"{api}/register", body=new, status=201)
        call("POST", f"{api}/register", body={"email": "no address", "password": PASSWORD}, status=422)
        wrong = {"email": "root@example.com", "password": "wrong"}
        call("POST", f"{api}/login", body=wrong, status=401)
        tokens = call("POST", f"{api}/login", body={"email": "root@example.com", "password": PASSWORD})
        me = call("GET", f"/api/{other}/auth/me", token=tokens["access"])
        assert me["email"] == "root@example.com", me
        again = call("POST", f"{api}/refresh", body={"refresh": tokens["refresh"]})
        assert again["refresh"] != tokens["refresh"]
        call("GET", f"{api}/me", status=401)
