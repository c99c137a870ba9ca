"""A browser's tab, as far as HTTP goes."""

import http.client
import json
from urllib.parse import urlencode

from review_world import CORPUS

from kaiku.review.server import ADDRESS


class Client:
    """A browser's tab, as far as HTTP goes."""

    def __init__(self, server):
        self.server = server

    def ask(self, path, *, method="GET", body=None, headers=None, **asked):
        connection = http.client.HTTPConnection(ADDRESS, self.server.server_port, timeout=20)
        told = {"X-Kaiku-Token": self.server.token, **(headers or {})}
        target = path + (f"?{urlencode(asked)}" if asked else "")
        connection.request(method, target, body, {name: value for name, value in told.items() if value is not None})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, content

    def json(self, path, **asked):
        answer, content = self.ask(path, **asked)
        assert answer.status == 200, content
        return json.loads(content)

    def decide(self, clip, verdict, **more):
        body = json.dumps({"corpus": CORPUS, "clip": clip, "verdict": verdict, **more})
        answer, content = self.ask("/api/decide", method="POST", body=body)
        return answer.status, json.loads(content)

    def listed(self, **asked):
        return [clip["clip"] for clip in self.json("/api/clips", **asked)["clips"]]
