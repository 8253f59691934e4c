"""Prompts, against a scripted server that speaks the providers' protocols byte for byte, with their failures."""

import json
import pathlib
import socket
import threading

import support


def chunked(*pieces):
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


def refusal(status, body, *headers):
    text = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(text)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + text


def openai_event(text=None, finish=None, **more):
    event = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {} if text is None else {"content": text}, "finish_reason": finish}], **more}
    return b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"


OPENAI_USAGE = b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}}\n\n'


def openai_answer(text):
    return HEAD + chunked(openai_event(""), openai_event(text), openai_event(finish="stop"), OPENAI_USAGE, b"data: [DONE]\n\n") + LAST_CHUNK


def anthropic_stream(*texts, stop="end_turn", line_end="\r\n"):
    def event(name, data):
        return f"event: {name}{line_end}data: {json.dumps(data, ensure_ascii=False)}{line_end}{line_end}".encode()

    yield event("message_start", {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "m",
                                                                         "stop_reason": None, "usage": {"input_tokens": 25, "output_tokens": 1}}})
    yield event("content_block_start", {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    yield event("ping", {"type": "ping"})
    for text in texts:
        yield event("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})
    yield event("content_block_stop", {"type": "content_block_stop", "index": 0})
    yield event("message_delta", {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": 15}})
    yield event("message_stop", {"type": "message_stop"})


class Provider:
    """Answers each connection with the next of its scripts: bytes, or a function of the connection."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.scripts = []
        self.requests = []  # (target, headers, body)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(peer,), daemon=True).start()

    def _answer(self, peer):
        with peer:
            try:
                self.requests.append(self._read(peer))
                script = self.scripts.pop(0)
                if callable(script):
                    script(peer)
                else:
                    peer.sendall(script)
            except OSError:
                pass  # the client has had enough

    @staticmethod
    def _read(peer):
        data = b""
        while b"\r\n\r\n" not in data:
            data += peer.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        while len(body) < int(headers.get("content-length", 0)):
            body += peer.recv(65536)
        return first.split()[1], headers, json.loads(body)

    def close(self):
        self.listener.close()


class LlmTest(support.TestCase):
    def setUp(self):
        super().setUp()
        self.provider = Provider()
        self.addCleanup(self.provider.close)

    def configured(self, step='prompt = "Why?"', provider="", type_="openai", base=None, attempts=4):
        url = base if base is not None else self.provider.url + ("/v1" if type_ == "openai" else "")
        return self.project(f"""
            [providers.local]
            type = "{type_}"
            base_url = "{url}"
            model = "small"
            retry = {{ attempts = {attempts}, backoff = "1ms", max_backoff = "1ms" }}
            {provider}
            [handlers.fix]
            {step}
            """)

    def ask(self, project, status=0, env=None, payload="{}"):
        return project.hark("event", "--type", "custom", "--handler", "fix", "--payload", payload, status=status, env=env)

    def step(self, project):
        run = project.runs(handler="fix")[0]
        return json.loads(project.hark("history", run["id"], "--json").stdout)["steps"][0]

    def answers(self, *scripts):
        self.provider.scripts = list(scripts)

    def failure(self, project, env=None):
        self.ask(project, status=1, env=env)
        return self.step(project)["error"]

    def test_openai_streams_an_answer_with_what_it_took(self):
        self.answers(openai_answer("It is so. 🎉"))
        project = self.configured('prompt = "Why {payload.what}? $HOME"\nsystem = "Be brief."', 'api_key = "${LLM_KEY}"\nprice = { input = 3.0, output = 15.0 }')
        env = {"LLM_KEY": "sk-hidden"}
        self.ask(project, payload='{"what": "so"}', env=env)
        run = project.runs(handler="fix")[0]
        step = json.loads(project.hark("history", run["id"], "--json", env=env).stdout)["steps"][0]
        self.assertEqual(step["output"], "It is so. 🎉")
        self.assertEqual(step["usage"], {"input_tokens": 100, "output_tokens": 20, "cost": 0.0006})
        self.assertIn("100 tokens in, 20 out, 0.0006 USD", project.hark("history", run["id"], env=env).stdout)
        target, headers, body = self.provider.requests[0]
        self.assertEqual(target, "/v1/chat/completions")
        self.assertEqual(headers["authorization"], "Bearer sk-hidden")
        self.assertEqual([message["content"] for message in body["messages"]], ["Be brief.", "Why so? $HOME"])
        for shown in (project.hark("config", "show", env=env), project.hark("event", "--type", "custom", "--handler", "fix", "--payload", "{}", "--dry-run", env=env)):
            self.assertNotIn("sk-hidden", shown.stdout + shown.stderr)

    def test_chunk_borders_anywhere(self):
        stream = openai_event("é🎉") + b": a comment\r\n\r\n" + openai_event("!", finish="stop").replace(b"\n", b"\r\n") + b"data: [DONE]\r\n\r\n"

        def drip(peer):
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.sendall(HEAD)
            for at in range(len(stream)):
                peer.sendall(chunked(stream[at:at + 1]))
            peer.sendall(LAST_CHUNK)

        self.answers(drip)
        project = self.configured()
        self.ask(project)
        self.assertEqual(self.step(project)["output"], "é🎉!")

    def test_a_limited_rate_then_success(self):
        limited = refusal(429, {"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}}, "Retry-After: 0")
        self.answers(limited, refusal(500, {"error": {"message": "oops"}}), openai_answer("fine"))
        project = self.configured()
        self.ask(project)
        self.assertEqual(self.step(project)["attempts"], 3)
        self.assertEqual(self.step(project)["output"], "fine")

    def test_a_wrong_key_is_no_use_trying_again(self):
        self.answers(refusal(401, {"error": {"message": "Incorrect API key provided: sk-hidden.", "type": "invalid_request_error", "code": "invalid_api_key"}}))
        project = self.configured(provider='api_key = "sk-hidden"')
        error = self.failure(project)
        self.assertIn("provider 'local'", error)
        self.assertIn("status 401: Incorrect API key provided: ***. (invalid_api_key) (check its `api_key`)", error)
        self.assertEqual(len(self.provider.requests), 1)

    def test_no_key_names_the_variable(self):
        self.answers(refusal(401, {"error": {"message": "You didn't provide an API key."}}))
        project = self.configured(provider='api_key = "${LLM_KEY:-}"')
        self.assertIn("provider 'local' has no api_key: answered with status 401: You didn't provide an API key. (set LLM_KEY)", self.failure(project))

    def test_no_network_names_the_provider_and_its_address(self):
        project = self.configured(base="http://127.0.0.1:1/v1")
        self.assertIn("provider 'local' (http://127.0.0.1:1/v1) cannot be reached: POST to 127.0.0.1:1: cannot connect: Connection refused", self.failure(project))

    def test_a_connection_cut_in_the_middle_is_a_failed_attempt(self):
        def cut(peer):
            peer.sendall(HEAD + chunked(openai_event("Hel")) + b"40\r\ndata: ")

        self.answers(cut, HEAD + chunked(openai_event("Hel")) + LAST_CHUNK, openai_answer("Hello"))
        project = self.configured()
        self.ask(project)
        step = self.step(project)
        self.assertEqual((step["attempts"], step["output"]), (3, "Hello"))

    def test_anthropic_streams_with_pings_and_odd_line_ends(self):
        for line_end in ("\n", "\r\n"):
            self.answers(HEAD + chunked(b": hello\n\n", *anthropic_stream("Hel", "lö", line_end=line_end)) + LAST_CHUNK)
            project = self.configured(type_="anthropic", provider='api_key = "k"')
            self.ask(project)
            step = self.step(project)
            self.assertEqual(step["output"], "Hellö")
            self.assertEqual(step["usage"], {"input_tokens": 25, "output_tokens": 15})
        target, headers, body = self.provider.requests[0]
        self.assertEqual((target, headers["x-api-key"], headers["anthropic-version"]), ("/v1/messages", "k", "2023-06-01"))
        self.assertTrue(body["stream"])

    def test_anthropic_overloaded_before_and_within_a_stream(self):
        overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        within = [*anthropic_stream("Hel")][:4] + [b"event: error\ndata: " + json.dumps(overloaded).encode() + b"\n\n"]
        self.answers(refusal(529, overloaded), HEAD + chunked(*within) + LAST_CHUNK, HEAD + chunked(*anthropic_stream("Hello")) + LAST_CHUNK)
        project = self.configured(type_="anthropic")
        self.ask(project)
        step = self.step(project)
        self.assertEqual((step["attempts"], step["output"]), (3, "Hello"))
        self.assertEqual(step["usage"], {"input_tokens": 50, "output_tokens": 16})  # the one that broke off is paid for, too
        self.answers(*[refusal(529, overloaded)] * 4)
        self.assertIn("status 529: Overloaded (overloaded_error)", self.failure(project))

    def test_an_answer_without_end_meets_the_time_limit(self):
        def for_ever(peer):
            peer.sendall(HEAD)
            while True:
                peer.sendall(chunked(b": ping\n\n"))

        self.answers(for_ever)
        self.assertIn("timed out after 300ms", self.failure(self.configured(provider='timeout = "300ms"', attempts=1)))

    def test_an_answer_without_end_meets_the_size_bound(self):
        event = chunked(openai_event("x" * 8192))

        def for_ever(peer):
            peer.sendall(HEAD)
            while True:
                peer.sendall(event)

        self.answers(*[for_ever] * 4)
        self.assertIn("the answer is longer than 1048576 bytes", self.failure(self.configured()))

    def test_an_answer_of_a_shape(self):
        schema = pathlib.Path(self.folder, "schema.json")
        schema.write_text('{"type": "object", "required": ["summary"], "properties": {"summary": {"type": "string"}}}')
        steps = """steps = [{ name = "agent", prompt = "Why?", json_schema = "schema.json", retry = { attempts = 2, backoff = "1ms" } },
                            { name = "tell", run = ["echo", "{steps.agent.json.summary}"] }]"""
        self.answers(openai_answer("Sure!"), openai_answer('```json\n{"summary": "so"}\n```'))
        project = self.configured(steps)
        self.ask(project)
        run = project.runs(handler="fix")[0]
        self.assertEqual(project.run_output(run["id"], 1), "so\n")
        self.answers(openai_answer('{"summary": 1}'), openai_answer('{"summary": 1}'))
        self.ask(project, status=1)
        self.assertIn("/summary: expected a string", self.step(project)["error"])
        schema.write_text('{"type": "object", "requried": ["summary"]}')
        checked = project.hark("config", "check", status=78)
        self.assertIn("did you mean `required`?", checked.stderr)

    def test_a_command_answers(self):
        agent = pathlib.Path(self.folder, "agent")
        agent.write_text('#!/bin/sh\nread -r line; echo "$HARK_HANDLER $1 in $(basename "$PWD"): $line"; [ "$line" != fail ] || { echo "no credits" >&2; exit 3; }\n')
        agent.chmod(0o755)
        pathlib.Path(self.folder, "place").mkdir()
        project = self.project(f"""
            [providers.agent]
            type = "command"
            command = ["{agent}", "-p"]
            [handlers.fix]
            prompt = "{{payload.text}}"
            working_directory = "place"
            """)
        self.ask(project, payload='{"text": "it; $(x)"}')
        self.assertEqual(self.step(project)["output"], "fix -p in place: it; $(x)\n")
        self.ask(project, status=1, payload='{"text": "fail"}')
        self.assertIn("provider 'agent': exit status 3", self.step(project)["error"])

    def test_check_online(self):
        self.answers(openai_answer("pong"))
        project = self.configured()
        good = project.hark("config", "check", "--online")
        self.assertRegex(good.stdout, r"local +openai +small +answers, in ")
        self.assertEqual(self.provider.requests[0][2]["max_tokens"], 16)
        cut = HEAD + chunked(openai_event("po"), openai_event(finish="length"), b"data: [DONE]\n\n") + LAST_CHUNK
        self.answers(cut)
        project.hark("config", "check", "--online")
        self.answers(refusal(404, {"error": {"message": "model 'small' not found"}}))
        bad = json.loads(project.hark("config", "check", "--online", "--json", status=78).stdout)
        self.assertIn("status 404: model 'small' not found (check `model` and `base_url`)", bad["providers"][0]["error"])
        project.configure('[providers.a]\ntype = "command"\ncommand = "no-such-agent -p"\n[providers.b]\ntype = "command"\ncommand = ["cat"]\n[handlers.fix]\nprompt = "x"\nprovider = "a"\n')
        shown = project.hark("config", "check", "--online", status=78).stdout
        self.assertIn("no program 'no-such-agent' is found in PATH", shown)
        self.assertRegex(shown, r"b +command +cat +is found")

    def test_a_reload_takes_over_another_provider(self):
        self.answers(openai_answer("one"), openai_answer("two"))
        project = self.configured()
        project.config.write_text("webhook_port = 0\n" + project.config.read_text())
        daemon = self.daemon(project)
        project.hark("daemon", "trigger", "--handler", "fix", "--wait")
        project.config.write_text(project.config.read_text().replace('"small"', '"large"'))
        self.assertIn("~fix", project.hark("config", "plan").stdout)
        project.hark("daemon", "reload")
        project.hark("daemon", "trigger", "--handler", "fix", "--wait")
        self.assertEqual([request[2]["model"] for request in self.provider.requests], ["small", "large"])
        self.assertIn(b'hark_tokens_total{direction="input",handler="fix",provider="local"} 200', daemon.request("GET", "/metrics")[2])


if __name__ == "__main__":
    support.unittest.main()
