"""Stands where a program of others stands: asks the model, executes its calls, talks like Claude Code or in plain text.

With `-p` it takes the options of Claude Code that the engine gives, keeps a session below CLAUDE_CONFIG_DIR and speaks its
stream of JSON. Without, it is any agent that reads a task from its input, with HIVE_MCP for the tools of the hive.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any, cast


class StandIn:
    """One start of the program."""

    def __init__(self, words: list[str]) -> None:
        self.is_claude = "-p" in words
        self.options = dict(zip(words, [*words[1:], ""], strict=False))
        self.messages: list[dict[str, Any]] = []
        self.session = self.options.get("--resume") or self.options.get("--session-id") or str(uuid.uuid4())
        if self.is_claude:
            server = json.loads(Path(self.options["--mcp-config"]).read_text())["mcpServers"]["hive"]["command"]
            self.file = Path(os.environ["CLAUDE_CONFIG_DIR"]) / "projects" / f"{self.session}.jsonl"
        else:
            server = os.environ["HIVE_MCP"]
        self.shim = subprocess.Popen([server], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.asked = 0

    def main(self) -> int:
        signal.signal(signal.SIGINT, lambda *_: self.stop("error_during_execution"))
        task = sys.stdin.read()
        if "--resume" in self.options:
            if not self.file.is_file():
                sys.stderr.write("No conversation found\n")
                return self.result("", subtype="error_during_execution")
            self.messages = [json.loads(line) for line in self.file.read_text().splitlines()]
            if self.messages and self.messages[-1]["role"] == "assistant":
                self.answer_open_calls()
        system = Path(self.options["--system-prompt-file"]).read_text() if self.is_claude else ""
        self.mcp("initialize", {"protocolVersion": "2025-11-25"})
        tools = self.mcp("tools/list", {})["tools"]
        own = ("Bash", "Write") if self.is_claude else ("run", "write")
        prefix = "mcp__hive__" if self.is_claude else ""
        names = [*own, *(prefix + tool["name"] for tool in tools)]
        offers = [{"name": name, "description": "", "input_schema": {"type": "object"}} for name in names]
        self.emit({"type": "system", "subtype": "init", "claude_code_version": "stand-in"})
        self.say({"role": "user", "content": task})
        while True:
            status, reply = self.ask({"system": system, "tools": offers})
            if status != 200:
                return self.result(f"API Error: {status}", error=True)
            for block in reply["content"]:
                self.emit({"type": "assistant", "message": {**reply, "content": [block], "usage": {}}})
            self.say({"role": "assistant", "content": reply["content"]})
            calls = [block for block in reply["content"] if block["type"] == "tool_use"]
            texts = [block["text"] for block in reply["content"] if block["type"] == "text"]
            if not self.is_claude:
                self.put("\n".join(texts))
            if not calls:
                return self.result("\n".join(texts))
            results = [self.execute(call, prefix) for call in calls]
            self.say({"role": "user", "content": results})
            self.emit({"type": "user", "message": {"role": "user", "content": results}})

    def ask(self, more: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        place = os.environ["ANTHROPIC_BASE_URL"].removeprefix("http://")
        key = os.environ.get("ANTHROPIC_AUTH_TOKEN") or os.environ["ANTHROPIC_API_KEY"]
        model = self.options.get("--model") or os.environ["ANTHROPIC_MODEL"]
        body = {"model": model, "max_tokens": 99, "messages": self.messages, **more}
        connection = http.client.HTTPConnection(place, timeout=60)
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        connection.request("POST", "/v1/messages", json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"{}")

    def execute(self, call: dict[str, Any], prefix: str) -> dict[str, Any]:
        name, given = call["name"], call["input"]
        if name in ("Bash", "run"):
            done = subprocess.run(["sh", "-c", given["command"]], stdout=subprocess.PIPE, text=True)
            said, is_error = f"{done.stdout}[{done.returncode}]", False
        elif name in ("Write", "write"):
            Path(given.get("file_path") or given["path"]).write_text(given["content"])
            said, is_error = "Written.", False
        else:
            meta = {"claudecode/toolUseId": call["id"]}
            told = self.mcp("tools/call", {"name": name.removeprefix(prefix), "arguments": given, "_meta": meta})
            said, is_error = told["content"][0]["text"], told["isError"]
        if not self.is_claude:
            self.put(said)
        return {"type": "tool_result", "tool_use_id": call["id"], "content": said, "is_error": is_error}

    def answer_open_calls(self) -> None:
        calls = [block for block in self.messages[-1]["content"] if block["type"] == "tool_use"]
        undone = [{"type": "tool_result", "tool_use_id": call["id"], "content": "Interrupted."} for call in calls]
        if undone:
            self.say({"role": "user", "content": undone})

    def mcp(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        assert self.shim.stdin is not None
        assert self.shim.stdout is not None
        self.shim.stdin.write(json.dumps({"id": self.asked, "method": method, "params": params}).encode() + b"\n")
        self.shim.stdin.flush()
        line = self.shim.stdout.readline()
        if not line:
            raise SystemExit(3)
        return cast("dict[str, Any]", json.loads(line)["result"])

    def say(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        if self.is_claude:
            self.file.parent.mkdir(exist_ok=True)
            with self.file.open("a") as file:
                file.write(json.dumps(message) + "\n")

    @staticmethod
    def put(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def emit(self, event: dict[str, Any]) -> None:
        if self.is_claude:
            self.put(json.dumps(event))

    def result(self, said: str, *, subtype: str = "success", error: bool = False) -> int:
        is_error = error or subtype != "success"
        done = "api_error" if error else "completed"
        self.emit({"type": "result", "subtype": subtype, "is_error": is_error, "result": said, "terminal_reason": done})
        return int(is_error)

    def stop(self, subtype: str) -> None:
        self.result("", subtype=subtype)
        os._exit(1)


if __name__ == "__main__":
    sys.exit(StandIn(sys.argv[1:]).main())
