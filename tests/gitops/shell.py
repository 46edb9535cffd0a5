"""What a person types: the commands of docs/gitops.md, and kubectl, helm and bash to run them."""

import asyncio
import os
import re
from subprocess import CompletedProcess

from support.control_plane import ROOT, ControlPlane

PAGE = re.findall(
    r"^```bash\n(.*?)^```$", (ROOT / "docs/gitops.md").read_text(), re.DOTALL | re.MULTILINE
)
"""The blocks of commands."""


async def shell(plane: ControlPlane, command: str, stdin: str = "") -> CompletedProcess[str]:
    """Run it in bash, in the repository; kubectl and helm talk to this API server."""
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        command,
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            "PATH": f"{plane.programs}:{os.environ['PATH']}",
            "KUBECONFIG": str(plane.kubeconfig),
            "HOME": str(plane.directory),  # caches end with the server
        },
    )
    out, error = await process.communicate(stdin.encode())
    assert process.returncode is not None
    return CompletedProcess(command, process.returncode, out.decode(), error.decode())


async def succeed(plane: ControlPlane, command: str, stdin: str = "") -> str:
    """What it prints; a failure shows what it said."""
    done = await shell(plane, command, stdin)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout
