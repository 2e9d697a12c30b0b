import { readFileSync } from "node:fs"

const { API_URL: api, PROXY_URL: url, PROXY_ADDRESS: address, PROXY_SECRET: secret, BODY: file } = process.env
const body = readFileSync(file)

async function say(name, target, options) {
	const answer = await fetch(target, options)
	console.log(name, answer.status, await answer.text())
}

await say("direct", api + "/text")
await say("redirect", url + "/redirect")
await say("post", url + "/length", { method: "POST", body })
await say("chunked", url + "/length", { method: "POST", body: new Blob([body]).stream(), duplex: "half" })
const stream = await fetch(url + "/stream")
let text = ""
for await (const part of stream.body) text += Buffer.from(part)
console.log("stream", stream.status, text)
await say("gzip", url + "/gzip")
await say("trailers", url + "/trailers")
await say("empty", url + "/empty")
await say("unchanged", url + "/unchanged", { headers: { "If-None-Match": '"1"' } })
const head = await fetch(url + "/text", { method: "HEAD" })
console.log("head", head.status, head.headers.get("content-length"))
await say("throttled", url + "/throttled", { method: "POST", body: "body" })
// new URL drops the path of the base, as some SDKs do
await say("bearer", new URL("/text", address), { headers: { Authorization: "Bearer " + secret } })
await say("basic", new URL("/text", address), { headers: { Authorization: "Basic " + btoa("any:" + secret) } })
const all = await Promise.all(Array.from({ length: 20 }, async (_, n) => (await fetch(url + "/text?" + n)).status))
console.log("parallel", all[0], all.filter((status) => status === all[0]).length)
