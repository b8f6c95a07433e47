"""What ue_send_conversations makes of many messages."""

from __future__ import annotations

import subprocess
from typing import Any

from programs import TARGET
from servers import Server, pinned
from turns import environment


class Many:
    """A batch under way."""

    def __init__(
        self,
        server: Server,
        count: int,
        *,
        connections: int = 64,
        max_per_second: int = 0,
        results: bool = True,
        cpu: int,
    ) -> None:
        self._asked = {
            "messages": count,
            "connections": connections,
            "max_per_second": max_per_second,
            "results": results,
        }
        arguments = [str(int(value)) for value in self._asked.values()]
        command = [*pinned(cpu), TARGET / "many", *arguments]
        self._process = subprocess.Popen(command, env=environment(server), stdout=subprocess.PIPE, text=True)

    def outcome(self) -> dict[str, Any]:
        """What it came to."""
        output, _ = self._process.communicate()
        if self._process.returncode != 0:
            raise RuntimeError("many ended")
        delivered, attempts, cpu_us, wall_us, peak_kib, more_kib = map(int, output.split())
        return {
            **self._asked,
            "delivered": delivered,
            "requests": attempts if self._asked["results"] else None,
            "wall_s": round(wall_us / 1e6, 3),
            "messages_per_second": round(delivered / wall_us * 1e6, 2),
            "cpu_us_per_message": round(cpu_us / self._asked["messages"], 2),
            "share_of_a_core": round(cpu_us / wall_us, 4),
            "peak_kib": peak_kib,
            "beyond_arrays_kib": more_kib,
        }
