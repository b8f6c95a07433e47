"""Sends the messages of a CSV file (client_user_id,content), says what to do about the others, and handles Ctrl-C.

UE_API_KEY=<your_64_char_api_key> python worker.py messages.csv
"""

import csv
import os
import sys
from pathlib import Path

import userengage
from userengage import Delivery, Message, Result, Retry

WHAT_TO_DO = {
    Retry.LATER: "send it again later",
    Retry.NEVER: "correct it: it would fail again",
    Retry.DECIDE: "look at the conversation before you send it again",
}


def report(messages: list[Message], results: list[Result]) -> int:
    """Prints the messages that were not delivered, and returns their number."""
    failed = 0
    for message, result in zip(messages, results):
        if result.delivery is not Delivery.DELIVERED:
            failed += 1
            print(f"{message.client_user_id}: {WHAT_TO_DO[result.retry]}: {result.message}", file=sys.stderr)
    for message in messages[len(results) :]:
        failed += 1
        print(f"{message.client_user_id}: {WHAT_TO_DO[Retry.LATER]}: it was not begun", file=sys.stderr)
    return failed


with Path(sys.argv[1]).open(newline="", encoding="utf-8") as file:
    messages = [Message(row["client_user_id"], row["content"]) for row in csv.DictReader(file)]

# At most 20 requests a second. The client waits for the service's own limit, a 429, in any case.
with userengage.Client(base_url=os.environ.get("UE_BASE_URL"), max_per_second=20) as client:
    try:
        # After ten failures in a row that are no fault of a message, no more are begun.
        results = client.send_conversations(messages, progress=sys.stderr.isatty(), max_failures_in_a_row=10)
    except KeyboardInterrupt as interruption:
        known = interruption.__context__
        assert isinstance(known, userengage.CancelledError)
        report(messages, known.results)
        sys.exit(f"Interrupted. {known}")

failed = report(messages, results)
print(f"{len(results) - failed} delivered, {failed} not.")
sys.exit(failed > 0)
