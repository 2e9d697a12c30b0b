import java.io.*;
import java.net.URI;
import java.net.http.*;
import java.net.http.HttpRequest.*;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
import java.util.zip.GZIPInputStream;

class Program {
	static final HttpClient client = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NORMAL).build();
	static final String url = System.getenv("PROXY_URL"), address = System.getenv("PROXY_ADDRESS"), secret = System.getenv("PROXY_SECRET");

	static Builder request(String target) { return HttpRequest.newBuilder(URI.create(target)); }

	static void say(String name, Builder request) throws Exception {
		var answer = client.send(request.build(), BodyHandlers.ofString());
		System.out.println(name + " " + answer.statusCode() + " " + answer.body());
	}

	public static void main(String[] arguments) throws Exception {
		var file = Path.of(System.getenv("BODY"));
		say("direct", request(System.getenv("API_URL") + "/text"));
		say("redirect", request(url + "/redirect"));
		say("post", request(url + "/length").POST(BodyPublishers.ofFile(file)));
		say("chunked", request(url + "/length").POST(BodyPublishers.ofInputStream(() -> open(file))));
		say("expect", request(url + "/length").expectContinue(true).POST(BodyPublishers.ofFile(file)));
		var stream = client.send(request(url + "/stream").build(), BodyHandlers.ofInputStream());
		System.out.println("stream " + stream.statusCode() + " " + new String(stream.body().readAllBytes()));
		var gzip = client.send(request(url + "/gzip").header("Accept-Encoding", "gzip").build(), BodyHandlers.ofInputStream());
		System.out.println("gzip " + gzip.statusCode() + " " + new String(new GZIPInputStream(gzip.body()).readAllBytes()));
		say("trailers", request(url + "/trailers"));
		say("empty", request(url + "/empty"));
		say("unchanged", request(url + "/unchanged").header("If-None-Match", "\"1\""));
		var head = client.send(request(url + "/text").method("HEAD", BodyPublishers.noBody()).build(), BodyHandlers.discarding());
		System.out.println("head " + head.statusCode() + " " + head.headers().firstValue("content-length").get());
		say("throttled", request(url + "/throttled").POST(BodyPublishers.ofString("body")));
		say("bearer", request(address).uri(URI.create(address).resolve("/text")).header("Authorization", "Bearer " + secret));
		say("basic", request(address + "/text").header("Authorization", "Basic " + Base64.getEncoder().encodeToString(("any:" + secret).getBytes())));
		var all = IntStream.range(0, 20).mapToObj(n -> client.sendAsync(request(url + "/text?" + n).build(), BodyHandlers.ofString())).toList();
		var statuses = all.stream().map(answer -> answer.join().statusCode()).collect(Collectors.groupingBy(status -> status, TreeMap::new, Collectors.counting()));
		statuses.forEach((status, count) -> System.out.println("parallel " + status + " " + count));
	}

	static InputStream open(Path file) {
		try {
			return Files.newInputStream(file);
		} catch (IOException e) {
			throw new UncheckedIOException(e);
		}
	}
}
