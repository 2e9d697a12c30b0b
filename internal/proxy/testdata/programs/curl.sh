# Arguments of curl come from a file, as the documentation recommends, because the URL is a secret.
ask() { # NAME URL [LINE…]: prints the name, the status and the body
	name=$1 url=$2
	shift 2
	{ printf 'url = "%s"\n' "$url"; for line; do printf '%s\n' "$line"; done; } |
		curl -sS $CURL_FLAGS --config - -o out -w "$name %{http_code} " || exit
	cat out 2>/dev/null
	echo
	rm -f out
}
ask direct "$API_URL/text"
ask redirect "$PROXY_URL/redirect" location
ask post "$PROXY_URL/length" 'header = "Expect:"' "data-binary = \"@$BODY\""
ask expect "$PROXY_URL/length" 'header = "Expect: 100-continue"' "data-binary = \"@$BODY\""
ask stream "$PROXY_URL/stream" no-buffer
ask gzip "$PROXY_URL/gzip" compressed
ask trailers "$PROXY_URL/trailers"
ask empty "$PROXY_URL/empty"
ask unchanged "$PROXY_URL/unchanged" 'header = "If-None-Match: \"1\""'
printf 'url = "%s"\nhead\n' "$PROXY_URL/text" | curl -sS $CURL_FLAGS --config - -o out -w 'head %{http_code} %header{content-length}\n'
ask throttled "$PROXY_URL/throttled" 'data = "body"'
ask bearer "$PROXY_ADDRESS/text" "oauth2-bearer = \"$PROXY_SECRET\""
ask basic "$PROXY_ADDRESS/text" "user = \"any:$PROXY_SECRET\""
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do printf 'url = "%s"\noutput = "/dev/null"\n' "$PROXY_URL/text?$n"; done |
	curl -sS $CURL_FLAGS --parallel --parallel-immediate --config - -w '%{http_code}\n' | sort | uniq -c | awk '{print "parallel", $2, $1}'
