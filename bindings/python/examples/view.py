"""A web application that sends a message when an order is placed; a view of Flask or Django looks the same.

UE_API_KEY=<your_64_char_api_key> gunicorn --preload --workers 4 view:application
curl -d client_user_id=42 http://127.0.0.1:8000/orders
"""

import os
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs

import userengage

# One client for the process, made when the module is loaded. Threads share it, and gunicorn's workers after their fork.
# The short timeout keeps a slow service from blocking the shop.
userengage_client = userengage.Client(base_url=os.environ.get("UE_BASE_URL"), timeout=3)


def place_order(client_user_id: str) -> tuple[str, str]:
    """The view: returns an HTTP status and a text."""
    try:
        userengage_client.send_conversation(client_user_id, "Thank you for your <b>order</b>!")
    except userengage.NotFoundError:
        return "404 Not Found", "There is no such customer."
    except userengage.Error as error:
        if error.retryable:
            return "202 Accepted", "The order is placed; the message can safely be sent again later."
        return "202 Accepted", "The order is placed; the message needs a person to look at it."
    return "201 Created", "The order is placed, and the customer knows."


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The WSGI application."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
    status, text = place_order(parse_qs(body).get("client_user_id", [""])[0])
    start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [text.encode() + b"\n"]
