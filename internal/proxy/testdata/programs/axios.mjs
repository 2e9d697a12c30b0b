import { createReadStream, readFileSync } from "node:fs"
import { createRequire } from "node:module"

const axios = createRequire(process.env.NODE_MODULES + "/")("axios")
const { API_URL: api, PROXY_URL: url, PROXY_ADDRESS: address, PROXY_SECRET: secret, BODY: file } = process.env
const client = axios.create({ baseURL: url, validateStatus: () => true, maxBodyLength: Infinity, responseType: "text", transformResponse: (text) => text })

async function say(name, options) {
	const answer = await client.request(options)
	console.log(name, answer.status, answer.data)
}

await say("direct", { baseURL: api, url: "/text" })
await say("redirect", { url: "/redirect" })
await say("post", { method: "post", url: "/length", data: readFileSync(file) })
await say("chunked", { method: "post", url: "/length", data: createReadStream(file), maxRedirects: 0 })
const stream = await client.get("/stream", { responseType: "stream" })
let text = ""
for await (const part of stream.data) text += part
console.log("stream", stream.status, text)
await say("gzip", { url: "/gzip" })
await say("trailers", { url: "/trailers" })
await say("empty", { url: "/empty" })
await say("unchanged", { url: "/unchanged", headers: { "If-None-Match": '"1"' } })
const head = await client.head("/text")
console.log("head", head.status, head.headers["content-length"])
await say("throttled", { method: "post", url: "/throttled", data: "body" })
await say("bearer", { baseURL: address, url: "/text", headers: { Authorization: "Bearer " + secret } })
await say("basic", { baseURL: address, url: "/text", auth: { username: "any", password: secret } })
const all = await Promise.all(Array.from({ length: 20 }, async (_, n) => (await client.get("/text?" + n)).status))
console.log("parallel", all[0], all.filter((status) => status === all[0]).length)
