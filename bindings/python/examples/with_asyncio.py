"""Sends from asyncio: many tasks share one client.

UE_API_KEY=<your_64_char_api_key> python with_asyncio.py client_user_id...
"""

import asyncio
import os
import sys

import userengage


async def greet(client: userengage.AsyncClient, client_user_id: str) -> None:
    """Sends one message, within 5 seconds."""
    try:
        await client.send_conversation(client_user_id, "Hi <b>user</b>!", timeout=5)
        print(f"{client_user_id}: delivered")
    except userengage.RetryableError as error:
        print(f"{client_user_id}: to be sent again later: {error}")
    except userengage.Error as error:
        print(f"{client_user_id}: {error}")


async def main() -> None:
    """Greets everybody at once."""
    async with userengage.AsyncClient(base_url=os.environ.get("UE_BASE_URL")) as client:
        await asyncio.gather(*(greet(client, client_user_id) for client_user_id in sys.argv[1:]))


asyncio.run(main())
