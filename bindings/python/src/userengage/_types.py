"""What callers give: `Source`, `DeliveryPolicy`, and the types of a message's attributes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, NamedTuple, Union

ClientUserId = Union[int, str]
"""Who gets a message."""

SourceContext = Union[Mapping[str, Any], list[Any], tuple[Any, ...]]
"""Additional fields of a message."""


class Source(IntEnum):
    """The channel that a message is shown to come from."""

    CHAT = 1
    EMAIL = 2
    API = 3
    SMS = 4
    SLACK = 5


class DeliveryPolicy(IntEnum):
    """What to do when it is unknown whether an attempt delivered the message."""

    AT_MOST_ONCE = 0
    """Stop and say so: the customer never sees a message twice."""
    AT_LEAST_ONCE = 1
    """Send again: the customer may see a message twice."""


class Message(NamedTuple):
    """One of the messages of `send_conversations`: the arguments of `send_conversation`."""

    client_user_id: ClientUserId
    """Who gets the message: an int, or any str but "", "." and ".."."""
    content: str
    """Text or HTML."""
    user: int | None = None
    """The id of the agent who writes. None: none given."""
    source: int | None = None
    """A `Source`, or another positive number. None: none given."""
    source_context: SourceContext | None = None
    """Additional fields: a mapping or a list that can be written as JSON. None: none given."""

    def __repr__(self) -> str:  # without the content
        return f"Message(client_user_id={self.client_user_id!r}, user={self.user!r}, source={self.source!r})"
