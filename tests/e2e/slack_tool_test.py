"""Steps of tool = "slack", against a scripted server that answers as Slack's published documentation says."""

import json

import support
from scripted_server import ScriptedServer

TOKEN = "xoxb-4711"
PATH = "/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"


class SlackToolTest(support.TestCase):
    def setUp(self):
        super().setUp()
        self.slack = ScriptedServer()
        self.addCleanup(self.slack.close)
        self.env = {"SLACK_WEBHOOK": self.slack.url + PATH, "SLACK_TOKEN": TOKEN}

    BY_WEBHOOK = 'webhook_url = "${SLACK_WEBHOOK}"\n'

    def by_token(self):
        return f'token = "${{SLACK_TOKEN}}"\nchannel = "{{payload.channel}}"\napi = "{self.slack.url}/api"\n'

    def say(self, how, message, payload=None, status=0, more=""):
        project = self.project(f'[handlers.say]\ntool = "slack"\n{how}\n{message}\n{more}\n')
        project.hark("event", "--type", "custom", "--handler", "say", "--payload", json.dumps(payload or {}), status=status, env=self.env)
        run = project.runs()[0]
        self.assertNotIn(TOKEN, json.dumps(run))
        self.assertNotIn(PATH, json.dumps(run))
        return json.loads(project.hark("history", run["id"], "--json").stdout)["steps"][0]

    def test_a_webhook_is_given_the_text_with_what_is_not_the_authors_escaped(self):
        self.slack.answers = [(200, b"ok")]
        step = self.say(self.BY_WEBHOOK, 'text = "<https://ci.example.com|Build> by {payload.who}: {payload.list}"', {"who": "<!channel> & <@U1|x>", "list": ["<a>", {"<k>": "&"}]})
        (request,) = self.slack.requests
        self.assertEqual(request.target, "POST " + PATH)
        self.assertEqual(request.headers["content-type"], "application/json; charset=utf-8")
        self.assertNotIn("authorization", request.headers)
        self.assertEqual(request.json(), {"text": '<https://ci.example.com|Build> by &lt;!channel&gt; &amp; &lt;@U1|x&gt;: ["&lt;a&gt;",{"&lt;k&gt;":"&amp;"}]'})
        self.assertEqual(step["output"], "ok")

    def test_blocks_hold_templates_in_every_string(self):
        self.slack.answers = [(200, b"ok")]
        self.say(self.BY_WEBHOOK, 'blocks = [{ type = "section", text = { type = "mrkdwn", text = "*{payload.t}*" } }, { type = "context", elements = "{payload.list}" }]',
                 {"t": "<x>", "list": [{"type": "plain_text", "text": "a & b"}]})
        self.assertEqual(self.slack.requests[0].json(), {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "*&lt;x&gt;*"}},
                                                                    {"type": "context", "elements": [{"type": "plain_text", "text": "a &amp; b"}]}]})

    def test_a_token_posts_to_a_channel_and_a_no_in_a_200_is_a_no(self):
        self.slack.answers = [(200, {"ok": True, "channel": "C123ABC456", "ts": "1503435956.000247", "message": {"text": "hi", "type": "message"}}),
                              (200, {"ok": False, "error": "not_in_channel"}), (200, {"ok": False, "error": "missing_scope", "needed": "chat:write"})]
        step = self.say(self.by_token(), 'text = "hi"', {"channel": "C123ABC456"})
        (request,) = self.slack.requests
        self.assertEqual(request.target, "POST /api/chat.postMessage")
        self.assertEqual(request.headers["authorization"], "Bearer " + TOKEN)
        self.assertEqual(request.json(), {"channel": "C123ABC456", "text": "hi"})
        self.assertEqual(json.loads(step["output"])["ts"], "1503435956.000247")
        retry = 'retry = { attempts = 3, backoff = "1ms" }'
        step = self.say(self.by_token(), 'text = "hi"', {"channel": "#a"}, 1, retry)
        self.assertEqual(step["error"], "Slack answered 200: not_in_channel (see that the channel is there and that the app was invited to it)")
        self.assertEqual(len(self.slack.requests), 2)
        self.assertIn("give the token the scope chat:write", self.say(self.by_token(), 'text = "hi"', {"channel": "#a"}, 1)["error"])

    def test_a_webhooks_refusals_and_limits(self):
        self.slack.answers = [(404, b"no_service"), (429, b"rate_limited", "Retry-After: 0"), (200, b"ok")]
        self.assertEqual(self.say(self.BY_WEBHOOK, 'text = "x"', status=1)["error"], "Slack answered 404: no_service (see that `token` or `webhook_url` is right and not revoked)")
        again = 'retry = { attempts = 2, backoff = "1ms" }'
        self.say(self.BY_WEBHOOK, 'text = "x"', more=again)
        self.slack.answers = [(200, {"ok": False, "error": "internal_error"}), (200, {"ok": True})]
        self.say(self.by_token(), 'text = "x"', {"channel": "#a"}, more=again)
        self.assertEqual(len(self.slack.requests), 5)
        self.assertIn("`text` is empty", self.say(self.BY_WEBHOOK, 'text = "{payload.none}"', status=1)["error"])
        self.assertIn("`channel` is empty", self.say(self.by_token(), 'text = "x"', {"channel": " "}, 1)["error"])
        self.assertEqual(len(self.slack.requests), 5)  # neither was sent

    def test_a_dry_run_and_config_show_keep_the_secrets(self):
        for how in (self.BY_WEBHOOK, self.by_token()):
            project = self.project(f'[handlers.say]\ntool = "slack"\n{how}\ntext = "to {{payload.who}}"\n')
            shown = project.hark("event", "--type", "custom", "--handler", "say", "--payload", '{"who": "<b>", "channel": "#a"}', "--dry-run", env=self.env).stdout
            self.assertIn("to &lt;b&gt;", shown)
            shown += project.hark("config", "show", env=self.env).stdout
            self.assertNotIn(PATH, shown)
            self.assertNotIn(TOKEN, shown)
        written = self.project(f'[handlers.say]\ntool = "slack"\nwebhook_url = "{self.slack.url + PATH}"\ntext = "x"\n')
        self.assertNotIn(PATH, written.hark("config", "show").stdout)
        self.assertEqual(self.slack.requests, [])


if __name__ == "__main__":
    support.unittest.main()
