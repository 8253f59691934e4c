"""Webhooks as the providers' own libraries sign them, and every example that GitHub's payload collection has."""

import json
import os
import pathlib
import subprocess
import unittest

from support import TestCase

JUDGES = pathlib.Path(__file__).resolve().parent.parent.parent / "build" / "judges"

# One line of JSON a delivery: {"path", "headers", "body", "subject"}.
SIGN = r"""
const examples = require('@octokit/webhooks-examples').default || require('@octokit/webhooks-examples');
const { Webhook } = require('standardwebhooks');
const Stripe = require('stripe');
(async () => {
  const { sign } = await import('@octokit/webhooks-methods');
  const tell = (delivery) => console.log(JSON.stringify(delivery));
  let number = 0;
  for (const { name, examples: payloads } of examples) {
    for (const payload of payloads) {
      const body = JSON.stringify(payload);
      tell({ path: '/github', body, subject: name, headers: {
        'X-GitHub-Event': name, 'X-GitHub-Delivery': `delivery-${++number}`, 'X-Hub-Signature-256': await sign('secret', body) } });
      if (name != 'pull_request') continue;
      // Each a request of its own: nothing is known of it, and its own word counts.
      const request = JSON.stringify({ ...payload, pull_request: { ...payload.pull_request, number } });
      tell({ path: '/requests', body: request, subject: `${payload.action} #${number}`, headers: { 'X-GitHub-Event': name, 'X-Hub-Signature-256': await sign('secret', request) } });
    }
  }
  const now = new Date();
  const body = JSON.stringify({ id: 'evt_1', type: 'invoice.paid', data: { text: 'é ∑ 漢' } });
  tell({ path: '/standard', body, subject: 'invoice.paid', headers: {
    'webhook-id': 'msg_1', 'webhook-timestamp': `${Math.floor(now / 1000)}`, 'webhook-signature': new Webhook('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw').sign('msg_1', now, body) } });
  tell({ path: '/stripe', body, subject: 'invoice.paid', headers: {
    'Stripe-Signature': Stripe.webhooks.generateTestHeaderString({ payload: body, secret: 'whsec_test' }) } });
})();
"""

CONFIG = """
webhook_port = 0
retention_events = 100000
""" + "".join(f"""
[[sources]]
name = "{name}"
type = "webhook"
path = "/{name}"
provider = "{name}"
secret = "{secret}"
max_body = 4194304
rate_limit = "100000/s"
handler = "h"
where = "event.type:nothing"
""" for name, secret in {"github": "secret", "standard": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "stripe": "whsec_test"}.items()) + """
[[sources]]
name = "requests"
type = "git_pr"
path = "/requests"
secret = "secret"
rate_limit = "100000/s"
handler = "h"
where = "event.type:nothing"
[handlers.h]
run = "true"
"""

# Of GitHub's actions those that change nothing of what a pull request is.
NO_NEWS = {"assigned", "unassigned", "auto_merge_enabled", "auto_merge_disabled", "locked", "unlocked", "review_requested", "review_request_removed", "milestoned", "demilestoned"}


@unittest.skipUnless((JUDGES / "node_modules").is_dir(), "without npm there are no judges (scripts/test installs them where there is)")
class Judges(TestCase):
    def test_what_the_providers_libraries_sign_is_believed_and_every_example_of_github_is_taken(self):
        made = subprocess.run(["node", "-e", SIGN], check=True, capture_output=True, text=True, cwd=JUDGES, env=os.environ | {"NODE_PATH": str(JUDGES / "node_modules")})
        deliveries = [json.loads(line) for line in made.stdout.splitlines()]
        self.assertGreater(len(deliveries), 100)
        project = self.project(CONFIG)
        daemon = self.daemon(project)
        for delivery in deliveries:
            headers = {"Content-Type": "application/json", **delivery["headers"]}
            status, _, answer = daemon.request("POST", delivery["path"], delivery["body"].encode(), headers)
            no_event = delivery["subject"] == "ping" or delivery["subject"].split()[0] in NO_NEWS  # answered all the same
            self.assertEqual(status, 200 if no_event else 202, (delivery["path"], delivery["subject"], answer))
            altered = delivery["body"].replace("{", "{ ", 1).encode()
            self.assertEqual(daemon.request("POST", delivery["path"], altered, headers)[0], 401)
        requests = [f'{event["data"]["action"]} #{event["data"]["number"]}' for event in reversed(project.events()) if event["type"] == "git_pr"]
        self.assertEqual(requests, [each["subject"] for each in deliveries if each["path"] == "/requests" and each["subject"].split()[0] not in NO_NEWS])
        self.assertGreater(len(requests), 10)
        events = [event for event in project.events() if event["type"] == "webhook"]
        self.assertEqual([event["subject"] for event in reversed(events)], [each["subject"] for each in deliveries if each["path"] != "/requests" and each["subject"] != "ping"])
        told = {event["subject"]: event["data"] for event in events}
        for delivery in deliveries:
            if delivery["path"] in ("/standard", "/stripe"):
                self.assertEqual(told[delivery["subject"]], json.loads(delivery["body"]))
        daemon.stop()


if __name__ == "__main__":
    unittest.main()
