"""Sends the message of the service's specification, and prints the outcome.

UE_API_KEY=<your_64_char_api_key> python send.py [client_user_id] [content]
"""

import os
import sys

import userengage

client_user_id = sys.argv[1] if len(sys.argv) > 1 else 42
content = sys.argv[2] if len(sys.argv) > 2 else "Hi <b>user</b>, enjoy our product!"

with userengage.Client(base_url=os.environ.get("UE_BASE_URL")) as client:
    try:
        result = client.send_conversation(
            client_user_id,
            content,
            user=926,
            source=userengage.Source.EMAIL,
            source_context={"name": "This is source_context used in API", "id": 123},
        )
    except userengage.Error as error:
        sys.exit(f"{error.delivery.name}, retry {error.retry.name}: {error}")

print(f"{result.delivery.name}: HTTP {result.http_status} after {result.elapsed * 1000:.1f} ms")
