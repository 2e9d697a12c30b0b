import os
from concurrent.futures import ThreadPoolExecutor

import requests

api, url, address, secret = (os.environ[name] for name in ("API_URL", "PROXY_URL", "PROXY_ADDRESS", "PROXY_SECRET"))
session = requests.Session()


def say(name, answer):
    print(name, answer.status_code, answer.text, flush=True)


def bearer(request):
    request.headers["Authorization"] = "Bearer " + secret
    return request


say("direct", session.get(api + "/text"))
say("redirect", session.get(url + "/redirect"))
with open(os.environ["BODY"], "rb") as body:
    say("post", session.post(url + "/length", data=body))
with open(os.environ["BODY"], "rb") as body:  # in chunks
    say("chunked", session.post(url + "/length", data=iter(lambda: body.read(65536), b"")))
with session.get(url + "/stream", stream=True) as answer:
    print("stream", answer.status_code, "".join(part.decode() for part in answer.iter_content(None)), flush=True)
say("gzip", session.get(url + "/gzip"))
say("trailers", session.get(url + "/trailers"))
say("empty", session.get(url + "/empty"))
say("unchanged", session.get(url + "/unchanged", headers={"If-None-Match": '"1"'}))
head = session.head(url + "/text")
print("head", head.status_code, head.headers["Content-Length"], flush=True)
say("throttled", session.post(url + "/throttled", data="body"))
say("bearer", session.get(address + "/text", auth=bearer))
say("basic", session.get(address + "/text", auth=("any", secret)))
with ThreadPoolExecutor(20) as pool:
    statuses = list(pool.map(lambda n: requests.get(f"{url}/text?{n}").status_code, range(20)))
print("parallel", statuses[0], statuses.count(statuses[0]))
