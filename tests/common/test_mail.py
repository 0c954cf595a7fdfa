import email
import email.policy

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage
from fashionistar_common.mail import DirectoryEmailBackend, send_mail


@pytest.fixture
def templates(settings, tmp_path):
    for ending, text in {
        ".subject.txt": "Hello\n {{ name }}\n",
        ".txt": "Dear {{ name }}",
        ".html": "<p>{{ name }}</p>",
    }.items():
        (tmp_path / f"hello{ending}").write_text(text)
    settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [tmp_path]}]


def send(key="k", to="ada@example.com", name="Ada & Bo"):
    send_mail(template="hello", to=to, context={"name": name}, key=key)


def test_a_message_has_text_html_and_one_line_of_subject(templates, mailoutbox):
    send(name="Ada\nBcc: all@example.com")
    message = mailoutbox[0]
    assert message.subject == "Hello Ada Bcc: all@example.com"
    assert message.body.startswith("Dear Ada")
    assert message.alternatives[0][1] == "text/html"


def test_the_key_makes_the_identity(templates, mailoutbox):
    for key, to in [
        ("k", "ada@example.com"),
        ("k", "ada@example.com"),
        ("other", "ada@example.com"),
        ("k", "bo@example.com"),
    ]:
        send(key, to)
    ids = [message.message()["Message-ID"] for message in mailoutbox]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_the_directory_keeps_a_message_once(templates, settings, tmp_path, mailoutbox):
    settings.FASHIONISTAR_COMMON = {"MAIL_DIRECTORY": str(tmp_path / "mail")}
    send()
    for _ in range(2):
        assert DirectoryEmailBackend().send_messages(mailoutbox) == 1
    (kept,) = (tmp_path / "mail").iterdir()
    read = email.message_from_bytes(kept.read_bytes(), policy=email.policy.default)
    assert read["To"] == "ada@example.com"
    assert "Ada &amp; Bo" in read.get_body(("html",)).get_content()


def test_the_directory_has_to_be_named(settings):
    settings.FASHIONISTAR_COMMON = {}
    with pytest.raises(ImproperlyConfigured, match="MAIL_DIRECTORY"):
        DirectoryEmailBackend().send_messages([EmailMessage()])
