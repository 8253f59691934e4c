"""Steps of tool = "forge", against a scripted server: requests and answers as the forges' published documentation has them."""

import json

import support
from scripted_server import ScriptedServer

TOKEN = "sesame-4711"
SHA = "6dcb09b5b57875f334f61aebed695e2e4193db5e"

# docs.github.com, "Create an issue comment", "Create a pull request", "Create a commit status": the answers' examples, as far as they matter.
GITHUB_COMMENT = {"id": 1, "node_id": "MDEyOklzc3VlQ29tbWVudDE=", "url": "https://api.github.com/repos/octocat/Hello-World/issues/comments/1",
                  "html_url": "https://github.com/octocat/Hello-World/issues/1347#issuecomment-1", "body": "Me too", "user": {"login": "octocat", "id": 1}}
GITHUB_PULL = {"url": "https://api.github.com/repos/octocat/Hello-World/pulls/1347", "id": 1, "html_url": "https://github.com/octocat/Hello-World/pull/1347", "number": 1347,
               "state": "open", "title": "Amazing new feature",
               "head": {"label": "octocat:new-topic", "ref": "new-topic", "sha": SHA, "repo": {"full_name": "octocat/Hello-World", "owner": {"login": "octocat"}}},
               "base": {"label": "octocat:master", "ref": "master", "sha": SHA, "repo": {"full_name": "octocat/Hello-World", "owner": {"login": "octocat"}}}}
GITHUB_STATUS = {"url": "https://api.github.com/repos/octocat/Hello-World/statuses/" + SHA, "id": 1, "state": "success", "description": "Build has completed successfully",
                 "target_url": "https://ci.example.com/1000/output", "context": "continuous-integration/jenkins"}
# docs.gitlab.com, "Create new merge request note", "Create MR", "Set commit pipeline status".
GITLAB_NOTE = {"id": 302, "body": "x", "author": {"username": "pipin"}, "system": False, "noteable_id": 377, "noteable_type": "MergeRequest", "noteable_iid": 11}
GITLAB_MERGE_REQUEST = {"id": 1, "iid": 3, "project_id": 4, "title": "test1", "state": "opened", "target_branch": "main", "source_branch": "fix", "source_project_id": 4,
                        "target_project_id": 4, "web_url": "https://gitlab.example.com/my-group/my-project/merge_requests/3"}
# developer.atlassian.com, "Create a comment on a pull request", "Create a pull request", "Create a build status for a commit".
BITBUCKET_COMMENT = {"id": 7, "type": "pullrequest_comment", "content": {"raw": "x"}, "links": {"html": {"href": "https://bitbucket.org/team/repo/pull-requests/5/_/diff#comment-7"}}}
BITBUCKET_PULL = {"id": 5, "type": "pullrequest", "title": "t", "state": "OPEN", "links": {"html": {"href": "https://bitbucket.org/team/repo/pull-requests/5"}},
                  "source": {"branch": {"name": "fix"}, "repository": {"full_name": "team/repo"}}, "destination": {"branch": {"name": "main"}, "repository": {"full_name": "team/repo"}}}


class ForgeToolTest(support.TestCase):
    def setUp(self):
        super().setUp()
        self.forge = ScriptedServer()
        self.addCleanup(self.forge.close)

    def configured(self, action, provider="github", repository="octocat/Hello-World", more="", path=""):
        return self.project(f"""
            [handlers.tell]
            tool = "forge"
            provider = "{provider}"
            api = "{self.forge.url}{path}/"
            repository = "{repository}"
            token = "${{FORGE_TOKEN}}"
            {action}
            {more}
            """)

    def tell(self, project, payload=None, status=0):
        project.hark("event", "--type", "custom", "--handler", "tell", "--payload", json.dumps(payload or {}), status=status, env={"FORGE_TOKEN": TOKEN})
        run = project.runs()[0]
        self.assertNotIn(TOKEN, json.dumps(run))
        return json.loads(project.hark("history", run["id"], "--json").stdout)["steps"][0]

    COMMENT = 'action = "comment"\nnumber = "{payload.number}"\nbody = "{payload.text}"'
    PULL = 'action = "open_pull_request"\ntitle = "{payload.title}"\nbody = "Please pull these awesome changes in!"\nhead = "{payload.head}"\nbase = "{payload.base}"'
    STATUS = 'action = "status"\ncommit = "{payload.sha}"\nstate = "{payload.state}"\ncontext = "ci/hark"\ndescription = "All of it"\nurl = "https://ci.example.com/1"'

    def test_github_is_asked_as_its_documentation_says(self):
        project = self.configured(self.COMMENT)
        self.forge.answers = [(200, []), (201, GITHUB_COMMENT)]
        step = self.tell(project, {"number": 1347, "text": "Me too"})
        self.assertEqual(json.loads(step["output"]), {"id": 1, "url": "https://github.com/octocat/Hello-World/issues/1347#issuecomment-1", "created": True})
        listed, made = self.forge.requests
        self.assertEqual(listed.line, "GET /repos/octocat/Hello-World/issues/1347/comments?per_page=100&page=1 HTTP/1.1")
        self.assertEqual(made.line, "POST /repos/octocat/Hello-World/issues/1347/comments HTTP/1.1")
        for request in (listed, made):
            self.assertEqual(request.headers["accept"], "application/vnd.github+json")
            self.assertEqual(request.headers["authorization"], "Bearer " + TOKEN)
            self.assertEqual(request.headers["x-github-api-version"], "2022-11-28")
            self.assertTrue(request.headers["user-agent"].startswith("hark/"))
        self.assertEqual(made.headers["content-type"], "application/json")
        self.assertRegex(made.json()["body"], r"^Me too\n\n<!-- hark [0-9a-f]{32} -->$")

    def test_a_pull_request_is_opened_once(self):
        project = self.configured(self.PULL, more="draft = true")
        payload = {"title": "Amazing new feature", "head": "new-topic", "base": "master"}
        self.forge.answers = [(200, []), (201, GITHUB_PULL), (200, [GITHUB_PULL])]
        told = {"id": 1, "number": 1347, "url": "https://github.com/octocat/Hello-World/pull/1347"}
        self.assertEqual(json.loads(self.tell(project, payload)["output"]), {**told, "created": True})
        self.assertEqual(self.forge.requests[0].target, "GET /repos/octocat/Hello-World/pulls?state=open&head=octocat%3Anew-topic&base=master&per_page=100&page=1")
        self.assertEqual(self.forge.requests[1].target, "POST /repos/octocat/Hello-World/pulls")
        self.assertEqual(self.forge.requests[1].json(), {"title": "Amazing new feature", "body": "Please pull these awesome changes in!", "head": "new-topic", "base": "master", "draft": True})
        self.assertEqual(json.loads(self.tell(project, payload)["output"]), {**told, "created": False})
        self.assertEqual(len(self.forge.requests), 3)

    def test_the_daemon_tells_of_a_new_pull_request(self):
        project = self.configured(self.PULL)
        self.forge.answers = [(200, []), (201, GITHUB_PULL)]
        daemon = self.daemon(project, env={"FORGE_TOKEN": TOKEN})
        project.hark("daemon", "trigger", "tell", "--payload", json.dumps({"title": "t", "head": "new-topic", "base": "master"}))
        line = daemon.wait_for(lambda each: each.get("name") == "pr:created", seen_too=True)
        self.assertEqual(line["message"], "pull request of octocat/Hello-World opened: https://github.com/octocat/Hello-World/pull/1347")
        self.assertNotIn(TOKEN, daemon.text())

    def test_a_later_comment_of_the_same_key_takes_the_place_of_the_first(self):
        project = self.configured(self.COMMENT, more='update_key = "report"')
        self.forge.answers = [(200, []), (201, GITHUB_COMMENT)]
        self.tell(project, {"number": 1347, "text": "one"})
        first = self.forge.requests[1].json()["body"]
        stranger = {**GITHUB_COMMENT, "id": 5, "body": "<!-- hark 00000000000000000000000000000000 -->"}
        self.forge.answers = [(200, [stranger], 'Link: <https://evil.example/?page=2>; rel="next"'), (200, [{**GITHUB_COMMENT, "id": 9, "body": first}]), (200, {**GITHUB_COMMENT, "id": 9})]
        step = self.tell(project, {"number": 1347, "text": "two"})
        self.assertEqual(json.loads(step["output"])["created"], False)
        self.assertEqual([each.target for each in self.forge.requests[2:]], ["GET /repos/octocat/Hello-World/issues/1347/comments?per_page=100&page=1",
                                                                            "GET /repos/octocat/Hello-World/issues/1347/comments?per_page=100&page=2",
                                                                            "PATCH /repos/octocat/Hello-World/issues/comments/9"])
        self.assertEqual(self.forge.requests[4].json()["body"], first.replace("one", "two"))

    def test_an_attempt_that_heard_no_answer_finds_what_it_has_done(self):
        project = self.configured(self.COMMENT, more='retry = { attempts = 2, backoff = "1ms" }')
        self.forge.answers = [(200, []), (502, b"<html>Bad Gateway</html>"), lambda requests: (200, [{**GITHUB_COMMENT, "body": requests[1].json()["body"]}])]
        step = self.tell(project, {"number": 1347, "text": "once"})
        self.assertEqual(json.loads(step["output"]), {"id": 1, "url": GITHUB_COMMENT["html_url"], "created": False})
        self.assertEqual(len(self.forge.requests), 3)

    def test_a_status_in_the_words_of_each_forge(self):
        for provider, path, repository, target, headers, states in (
                ("github", "", "o/r", f"/repos/o/r/statuses/{SHA}", {"authorization": "Bearer " + TOKEN}, ("pending", "success", "failure", "error")),
                ("gitea", "/api/v1", "o/r", f"/api/v1/repos/o/r/statuses/{SHA}", {"authorization": "token " + TOKEN}, ("pending", "success", "failure", "error")),
                ("gitlab", "/api/v4", "g/s/r", f"/api/v4/projects/g%2Fs%2Fr/statuses/{SHA}", {"private-token": TOKEN}, ("pending", "success", "failed", "failed")),
                ("bitbucket", "/2.0", "team/repo", f"/2.0/repositories/team/repo/commit/{SHA}/statuses/build", {"authorization": "Bearer " + TOKEN},
                 ("INPROGRESS", "SUCCESSFUL", "FAILED", "FAILED"))):
            for state, word in zip(("pending", "success", "failure", "error"), states):
                with self.subTest(provider=provider, state=state):
                    project = self.configured(self.STATUS, provider, repository, path=path)
                    self.forge.requests.clear()
                    self.forge.answers = [(201, GITHUB_STATUS)]
                    self.tell(project, {"sha": SHA, "state": state})
                    (request,) = self.forge.requests
                    self.assertEqual(request.target, "POST " + target)
                    self.assertEqual({name: request.headers[name] for name in headers}, headers)
                    wanted = {"state": word, "context": "ci/hark", "description": "All of it", "target_url": "https://ci.example.com/1"}
                    if provider == "bitbucket":
                        wanted = {"state": word, "key": "ci/hark", "name": "ci/hark", "description": "All of it", "url": "https://ci.example.com/1"}
                    self.assertEqual(request.json(), wanted)

    def test_gitlab_refuses_a_status_that_is_there_which_is_no_failure(self):
        project = self.configured(self.STATUS, "gitlab", "g/r")
        said = 'Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via "enqueue")'
        self.forge.answers = [(400, {"message": said}), (400, {"message": said})]
        self.assertEqual(json.loads(self.tell(project, {"sha": SHA, "state": "pending"})["output"])["created"], False)
        self.assertIn("gitlab answered 400: Cannot transition", self.tell(project, {"sha": SHA, "state": "success"}, status=1)["error"])

    def test_comments_and_requests_of_the_other_forges(self):
        pull = {"title": "t", "head": "fix", "base": "main"}
        gitea_pull = {"id": 8, "number": 2, "html_url": "https://codeberg.org/o/r/pulls/2", "head": {"ref": "fix", "repo": {"owner": {"login": "o"}}}, "base": {"ref": "main"}}
        fork = {**gitea_pull, "number": 1, "head": {"ref": "fix", "repo": {"owner": {"login": "stranger"}}}}
        cases = [
            ("gitlab", "g/s/r", self.COMMENT, [(200, []), (201, GITLAB_NOTE)],
             ["GET /projects/g%2Fs%2Fr/merge_requests/11/notes?per_page=100&page=1&sort=asc", "POST /projects/g%2Fs%2Fr/merge_requests/11/notes"], {"id": 302, "url": None, "created": True}),
            ("gitlab", "g/r", self.PULL, [(200, []), (201, GITLAB_MERGE_REQUEST)],
             ["GET /projects/g%2Fr/merge_requests?state=opened&source_branch=fix&target_branch=main&per_page=100&page=1", "POST /projects/g%2Fr/merge_requests"],
             {"id": 1, "number": 3, "url": GITLAB_MERGE_REQUEST["web_url"], "created": True}),
            ("gitea", "o/r", self.COMMENT, [(200, []), (201, {"id": 4, "html_url": "https://codeberg.org/o/r/pulls/2#issuecomment-4"})],
             ["GET /repos/o/r/issues/11/comments", "POST /repos/o/r/issues/11/comments"], {"id": 4, "url": "https://codeberg.org/o/r/pulls/2#issuecomment-4", "created": True}),
            ("gitea", "o/r", self.PULL, [(200, [fork, gitea_pull])], ["GET /repos/o/r/pulls?state=open&limit=50&page=1"], {"id": 8, "number": 2, "url": gitea_pull["html_url"], "created": False}),
            ("bitbucket", "team/repo", self.COMMENT, [(200, {"values": [], "pagelen": 50}), (201, BITBUCKET_COMMENT)],
             ["GET /repositories/team/repo/pullrequests/11/comments?pagelen=50&page=1", "POST /repositories/team/repo/pullrequests/11/comments"],
             {"id": 7, "url": BITBUCKET_COMMENT["links"]["html"]["href"], "created": True}),
            ("bitbucket", "team/repo", self.PULL, [(200, {"values": []}), (201, BITBUCKET_PULL)],
             ["GET /repositories/team/repo/pullrequests?state=OPEN&pagelen=50&page=1", "POST /repositories/team/repo/pullrequests"],
             {"id": 5, "number": 5, "url": BITBUCKET_PULL["links"]["html"]["href"], "created": True}),
        ]
        bodies = []
        for provider, repository, action, answers, targets, output in cases:
            with self.subTest(provider=provider, action=action.split('"')[1]):
                project = self.configured(action, provider, repository)
                self.forge.requests.clear()
                self.forge.answers = answers
                self.assertEqual(json.loads(self.tell(project, {"number": 11, "text": "hello", **pull})["output"]), output)
                self.assertEqual([each.target for each in self.forge.requests], targets)
                bodies.append(self.forge.requests[-1].json() if self.forge.requests[-1].body else None)
        self.assertRegex(bodies[0]["body"], r"^hello\n\n<!-- hark [0-9a-f]{32} -->$")
        self.assertEqual(bodies[1], {"title": "t", "description": "Please pull these awesome changes in!", "source_branch": "fix", "target_branch": "main"})
        self.assertRegex(bodies[4]["content"]["raw"], r"^hello\n\n\[//\]: # \(hark [0-9a-f]{32}\)$")
        self.assertEqual(bodies[5], {"title": "t", "description": "Please pull these awesome changes in!", "source": {"branch": {"name": "fix"}}, "destination": {"branch": {"name": "main"}}, "draft": False})

    def test_refusals_name_the_forges_words_and_the_cure(self):
        project = self.configured(self.PULL)
        payload = {"title": "t", "head": "new-topic", "base": "master"}
        for status, body, words in (
                (401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"}, "github answered 401: Bad credentials (see that `token` is right and has not run out)"),
                (403, {"message": "Resource not accessible by personal access token"}, "(the token may not do this: give it the right to write to the repository)"),
                (404, {"message": "Not Found"}, "github answered 404: Not Found (see `repository` and what it names; a token that may not see it is told the same)"),
                (422, {"message": "Validation Failed", "errors": [{"resource": "PullRequest", "code": "custom", "message": "No commits between master and new-topic"}]},
                 "github answered 422: Validation Failed; No commits between master and new-topic"),
                (301, {"message": "Moved Permanently"}, "(it has moved: mend `repository` or `api`)")):
            with self.subTest(status=status):
                self.forge.answers = [(200, []), (status, body)]
                self.assertIn(words, self.tell(project, payload, status=1)["error"])

    def test_a_forge_that_is_asked_too_often_is_asked_again(self):
        project = self.configured(self.STATUS, more='retry = { attempts = 3, backoff = "1ms" }')
        limit = {"message": "You have exceeded a secondary rate limit."}
        self.forge.answers = [(403, limit, "Retry-After: 0"), (403, limit, "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1"), (201, GITHUB_STATUS)]
        self.tell(project, {"sha": SHA, "state": "success"})
        self.assertEqual(len(self.forge.requests), 3)

    def test_a_commit_is_named_by_its_id_and_an_answer_is_an_object(self):
        project = self.configured(self.STATUS)
        for sha in ("", "HEAD", "main/../x", SHA + "?x=1"):
            self.assertIn("which is no commit's id", self.tell(project, {"sha": sha, "state": "success"}, status=1)["error"])
        self.assertEqual(self.forge.requests, [])
        project = self.configured(self.PULL)
        self.forge.answers = [(200, []), (201, ["made"])]
        self.assertIn("no JSON object (see that `provider` and `api` belong together)", self.tell(project, {"title": "t", "head": "fix", "base": "main"}, status=1)["error"])

    def test_what_comes_from_an_event_stays_where_it_belongs(self):
        project = self.configured(self.COMMENT, repository="{payload.repository}")
        self.forge.answers = [(200, []), (201, GITHUB_COMMENT)]
        self.tell(project, {"repository": "o/r?x=#&y", "number": 1, "text": "x"})
        self.assertEqual(self.forge.requests[0].target, "GET /repos/o/r%3Fx%3D%23%26y/issues/1/comments?per_page=100&page=1")
        for payload, words in (({"repository": "../r", "number": 1}, "which is no repository: expected owner/name"), ({"repository": "o/r/x", "number": 1}, "no repository"),
                               ({"repository": "o/r", "number": "1/../2"}, "`number` is '1/../2'"), ({"repository": "o/r", "number": "1?x"}, "no number"), ({"repository": "o/r", "number": 1, "text": " "}, "`body` is")):
            with self.subTest(payload=payload):
                self.assertIn(words, self.tell(project, {"text": "x", **payload}, status=1)["error"])
        self.assertEqual(len(self.forge.requests), 2)

    def test_a_dry_run_and_config_show_keep_the_token(self):
        project = self.configured(self.COMMENT)
        shown = project.hark("event", "--type", "custom", "--handler", "tell", "--payload", '{"number": 7, "text": "hello"}', "--dry-run", env={"FORGE_TOKEN": TOKEN}).stdout
        self.assertIn(f"POST {self.forge.url}/repos/octocat/Hello-World/issues/7/comments", shown)
        self.assertIn("hello", shown)
        self.assertNotIn(TOKEN, shown + project.hark("config", "show", env={"FORGE_TOKEN": TOKEN}).stdout)
        self.assertEqual(self.forge.requests, [])


if __name__ == "__main__":
    support.unittest.main()
