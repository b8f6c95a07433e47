"""The request, and the result of a delivery."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType

import pytest
from sandbox import Sandbox

import userengage
from userengage import Client, Delivery, Source, Status, _convert


def test_the_specifications_message_goes_out_as_written(sandbox: Sandbox, client: Client, user_id: str) -> None:
    result = client.send_conversation(
        user_id,
        "Hi <b>user</b>, enjoy our product!",
        user=926,
        source=Source.EMAIL,
        source_context={"name": "This is source_context used in API", "id": 123},
    )
    assert (result.status, result.delivery, result.http_status) == (Status.OK, Delivery.DELIVERED, 201)
    request = sandbox.only_request(user_id)
    assert (request["method"], request["path"]) == ("POST", f"/api/public/users/{user_id}/conversations/")
    headers = {name.lower(): value for name, value in request["headers"]}
    assert headers["authorization"].startswith("Token ")
    assert headers["content-type"] == "application/json"
    assert request["body"] == (
        '{"content":"Hi <b>user</b>, enjoy our product!","user":926,"source":2,'
        '"source_context":{"name":"This is source_context used in API","id":123}}'
    )


def test_only_the_attributes_given_go_out(sandbox: Sandbox, client: Client, user_id: str) -> None:
    client.send_conversation(user_id, "Hi")
    assert sandbox.only_request(user_id)["body"] == '{"content":"Hi"}'


def test_client_user_id_may_be_an_int(sandbox: Sandbox, client: Client) -> None:
    client.send_conversation(903_871, "Hi")
    assert sandbox.only_request("903871")["path"] == "/api/public/users/903871/conversations/"


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ({"b": 1, "a": [True, None, 1.5]}, '{"b":1,"a":[true,null,1.5]}'),
        ([1, "zwölf"], '[1,"zwölf"]'),
        ((), "[]"),
        (MappingProxyType({"inner": MappingProxyType({"a": 1})}), '{"inner":{"a":1}}'),
        ({"big": 2**70}, '{"big":1180591620717411303424}'),
    ],
)
def test_source_context_goes_out_as_json(
    sandbox: Sandbox, client: Client, user_id: str, given: dict[str, object], written: str
) -> None:
    client.send_conversation(user_id, "Hi", source_context=given)
    assert sandbox.only_request(user_id)["body"] == '{"content":"Hi","source_context":' + written + "}"


@pytest.mark.parametrize("encoder", ["this Python's", None])
def test_json_is_written_as_json_dumps_writes_it(encoder: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if encoder is None:
        monkeypatch.setattr("json.encoder.c_make_encoder", None)
    written = _convert._encoder()
    value = {"a": [1, -1.5e300, True, None, {}, [], ()], "": 'ż\u2028"\\\0', 1: 2**70, None: Source.EMAIL, 2.5: {}}
    assert "".join(written(value, 0)) == json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def test_text_of_every_script_arrives(sandbox: Sandbox, client: Client, user_id: str) -> None:
    content = 'Zażółć "gęślą" jaźń \\ 你好 \U0001f600\n\t\x01</b>'
    client.send_conversation(user_id, content)
    assert json.loads(sandbox.only_request(user_id)["body"]) == {"content": content}


def test_a_source_without_a_name_is_passed_on(sandbox: Sandbox, client: Client, user_id: str) -> None:
    with pytest.raises(userengage.RejectedError, match='source: "17" is not a valid choice'):
        client.send_conversation(user_id, "Hi", source=17)
    assert json.loads(sandbox.only_request(user_id)["body"])["source"] == 17


def test_api_version_2_gives_the_conversations_id(sandbox: Sandbox, user_id: str) -> None:
    with sandbox.client(api_version=2) as client:
        result = client.send_conversation(user_id, "Hi")
    assert result.conversation_id == json.loads(result.body)["id"]


def test_a_result_tells_attempts_time_and_the_services_id(client: Client, user_id: str) -> None:
    result = client.send_conversation(user_id, "Hi")
    assert result.attempts == 1
    assert 0 < result.elapsed < 10
    assert result.request_id
    assert (result.message, result.detail, result.retry_after, result.may_be_duplicate) == ("", "", None, False)


def test_connections_are_used_again(sandbox: Sandbox, client: Client, user_id: str) -> None:
    for _ in range(3):
        client.send_conversation(user_id, "Hi")
    assert len({request["connection"] for request in sandbox.requests(user_id)}) == 1


def test_https_with_a_ca_file(sandbox: Sandbox, user_id: str) -> None:
    with sandbox.client(base_url=sandbox.tls_base_url, ca_file=Path(sandbox.ca_file)) as client:
        assert client.send_conversation(user_id, "Hi").delivery is Delivery.DELIVERED


def test_an_untrusted_certificate_is_refused(sandbox: Sandbox, user_id: str) -> None:
    with sandbox.client(base_url=sandbox.tls_base_url) as client:
        with pytest.raises(userengage.TLSError) as caught:
            client.send_conversation(user_id, "Hi")
    assert caught.value.delivery is Delivery.NOT_DELIVERED
    assert sandbox.requests(user_id) == []
