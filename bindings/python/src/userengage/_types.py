"""The types of arguments: `Source`, `DeliveryPolicy`, `Message`, and those of its attributes."""

from collections.abc import Mapping
from enum import Enum, IntEnum
from typing import Any, NamedTuple, Optional, Union

ClientUserId = Union[int, str]
"""The customer who gets a message."""

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
    """What to do when it is unknown whether an attempt delivered the message.

    Members:
        AT_MOST_ONCE: Stop and say so: the customer never sees a message twice.
        AT_LEAST_ONCE: Send again: the customer may see a message twice.
    """

    AT_MOST_ONCE = 0
    AT_LEAST_ONCE = 1


class BatchFlow(Enum):
    """What an `on_result` function returns: how its batch goes on.

    Members:
        CONTINUE: Go on.
        FINISH: Finish the messages in flight, and begin no more. No message becomes unknown by it.
        ABORT: End the messages in flight, too. The delivery of those may be unknown.
    """

    CONTINUE = 0
    FINISH = 1
    ABORT = 2


class Message(NamedTuple):
    """One of the messages of `send_conversations`: the arguments of `send_conversation`.

    Attributes:
        client_user_id: Who gets the message: an int, or any str but "", "." and "..".
        content: Text or HTML.
        user: The id of the agent who writes. None: none given.
        source: A `Source`, or another positive number. None: none given.
        source_context: Additional fields: a mapping or a list that can be written as JSON. None: none given.
        timeout: The deadline of this message: seconds from its turn on. None: the client's `timeout`.
        reference: Anything of yours, such as the key of a row. Not sent; the `Result` has it as `reference`.
    """

    client_user_id: ClientUserId
    content: str
    user: Optional[int] = None
    source: Optional[int] = None
    source_context: Optional[SourceContext] = None
    timeout: Optional[float] = None
    reference: Any = None

    def __repr__(self) -> str:  # without the content and the reference
        return f"Message(client_user_id={self.client_user_id!r}, user={self.user!r}, source={self.source!r})"
