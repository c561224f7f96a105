// A conversation through the Kotlin package, against a local WhatsApp that runs strict: enlist, stay connected, exchange a
// text, cancel in every way, drain; and the sample of docs/MOBILE.md. `cargo xtask bindings kotlin` compiles and runs it.

import java.net.ServerSocket
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse
import java.nio.file.Files
import java.util.HexFormat
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.yield
import uniffi.wa_ffi.Canceller
import uniffi.wa_ffi.Client
import uniffi.wa_ffi.Content
import uniffi.wa_ffi.Event
import uniffi.wa_ffi.Events
import uniffi.wa_ffi.Happened
import uniffi.wa_ffi.Http
import uniffi.wa_ffi.HttpAnswer
import uniffi.wa_ffi.HttpHeader
import uniffi.wa_ffi.HttpQuestion
import uniffi.wa_ffi.Mailbox
import uniffi.wa_ffi.Options
import uniffi.wa_ffi.Status
import uniffi.wa_ffi.Store
import uniffi.wa_ffi.Tokens
import uniffi.wa_ffi.WaException
import uniffi.wa_ffi.emptyMailbox
import uniffi.wa_ffi.keepConnected
import uniffi.wa_ffi.newStoreKey
import uniffi.wa_ffi.openClient
import uniffi.wa_ffi.version

const val USER = "kotlin"
const val PHONE = "14155551003"

val web: HttpClient = HttpClient.newHttpClient()

fun post(url: String, body: String): String {
    val request = HttpRequest.newBuilder(URI(url)).header("content-type", "application/json")
    val answer = web.send(request.POST(HttpRequest.BodyPublishers.ofString(body)).build(), HttpResponse.BodyHandlers.ofString())
    check(answer.statusCode() in 200..299) { "$url: ${answer.statusCode()} ${answer.body()}" }
    return answer.body()
}

/** A string of a flat JSON object: enough for what the sandbox says. */
fun field(json: String, name: String): String =
    Regex("\"$name\":\"([^\"]*)\"").find(json)?.groupValues?.get(1) ?: error("no $name in $json")

/** HTTP as this platform has it. */
class PlatformHttp : Http {
    override suspend fun send(question: HttpQuestion): HttpAnswer {
        val request = HttpRequest.newBuilder(URI(question.url))
        for (header in question.headers) {
            if (header.name != "content-length" && header.name != "host") request.header(header.name, header.value)
        }
        request.method(question.method, HttpRequest.BodyPublishers.ofByteArray(question.body))
        val answer = web.send(request.build(), HttpResponse.BodyHandlers.ofByteArray())
        val headers = answer.headers().map().flatMap { (name, values) -> values.map { HttpHeader(name, it) } }
        return HttpAnswer(answer.statusCode().toUShort(), headers, answer.body())
    }
}

class Backend(private val integrator: String) : Tokens {
    fun token(user: String = USER): String = field(post("$integrator/token", "{\"user\":\"$user\"}"), "token")

    override suspend fun fetch(): String = token()
}

suspend inline fun <reified T : Happened> Events.until(crossinline wanted: (T) -> Boolean = { true }): T =
    withTimeout(20_000) { asFlow().first { event -> event.what.let { it is T && wanted(it) } }.what as T }

/** What a local WhatsApp says of itself, and an account of its own integrator's. */
class Place(private val addresses: String) {
    val backend = Backend(field(addresses, "integrator"))
    private val directory = Files.createTempDirectory("wa-ffi")
    val path = directory.resolve("store.db").toString()
    val key = newStoreKey()

    fun options(chat: String = field(addresses, "chat")) = Options(
        profile = "1.0.3",
        chat = chat,
        root = HexFormat.of().parseHex(field(addresses, "noise_root")),
        enlist = field(addresses, "enlist"),
    )

    fun write(login: String, text: String) {
        post(field(addresses, "control") + "phones/$PHONE/send", "{\"to\":\"$login\",\"text\":\"$text\"}")
    }
}

/** What a coroutine came to; none where it was cancelled. */
suspend fun <T> Deferred<T>.ended(): T? = try {
    withTimeout(20_000) { await() }
} catch (cancelled: CancellationException) {
    check(isCancelled) { "it goes on" }
    null
}

suspend fun talks(place: Place, client: Client, events: Events, login: String) = coroutineScope {
    val staying = async { client.keepConnected(place.backend) }
    events.until<Happened.Connected>()
    client.send("+$PHONE", "first", Content.Text("Hello from Kotlin", null, listOf()))
    events.until<Happened.Receipt> { it.status == Status.DELIVERED }
    place.write(login, "Hello, Kotlin")
    val message = events.until<Happened.Message>()
    check((message.content as Content.Text).body == "Hello, Kotlin") { message }
    staying.cancel()
    check(staying.ended() == null) { "it stays" }
    client.disconnect()
    events.until<Happened.Disconnected>()
    println("talks")
}

/** A call that is cancelled ends in the library as well: by its coroutine, or by a canceller. */
suspend fun cancelledCallsEnd(place: Place, store: Store) = coroutineScope {
    val server = withContext(Dispatchers.IO) { ServerSocket(0, 1, java.net.InetAddress.getLoopbackAddress()) }
    server.soTimeout = 20_000
    val client = openClient(store.account("other"), place.options("127.0.0.1:${server.localPort}"))
    client.enlist(PlatformHttp(), 1.toUShort(), "other", place.backend.token("other"))
    for (canceller in listOf(null, Canceller())) {
        val connecting = async {
            try {
                client.connect("token", canceller)
            } catch (cancelled: WaException.Cancelled) {
                check(canceller != null) { "nobody cancelled it" }
            }
        }
        withContext(Dispatchers.IO) {
            server.accept().use { connection ->
                connection.soTimeout = 20_000
                canceller?.cancel() ?: connecting.cancel()
                // The attempt ends, and the server sees it.
                connection.getInputStream().readAllBytes()
            }
        }
        connecting.ended()
    }
    client.shutDown()
    println("cancelled calls end")
}

/** Two hundred texts, taken by collections each of which is cancelled at another moment of its life. */
suspend fun noEventIsLostByCancelling(place: Place, client: Client, events: Events, login: String) {
    val count = 200
    client.connect(place.backend.token())
    repeat(count) { place.write(login, "text $it") }
    val shown = mutableListOf<String>()
    val show = { event: Event ->
        val content = (event.what as? Happened.Message)?.content as? Content.Text
        if (content != null) shown += content.body
    }
    var cancelled = 0
    while (shown.size < count) {
        coroutineScope {
            // One at most: the collector's own coroutine ends after it, unless it is cancelled before.
            val taking = async { events.asFlow().first { show(it); true } }
            repeat(cancelled % 7) { yield() }
            if (cancelled % 2 == 1) withContext(Dispatchers.IO) { web }
            taking.cancel()
            if (taking.ended() == null) cancelled++
        }
        // Cancelled again and again it would never come to anything.
        if (shown.size < count) withTimeout(20_000) { events.asFlow().first { show(it); true } }
    }
    check(shown == List(count) { "text $it" }) { shown }
    check(cancelled > count / 4) { cancelled }
    client.disconnect()
    events.until<Happened.Disconnected>()
    println("no event is lost by cancelling")
}

/** Whoever waits and is cancelled changes nothing. */
suspend fun cancelledWaitsEnd(store: Store, client: Client, lease: uniffi.wa_ffi.Lease) = coroutineScope {
    val waiting = async { store.lease(USER, "extension", 10_000uL) }
    withTimeout(20_000) { lease.wanted() }
    waiting.cancel()
    check(waiting.ended() == null) { "it has the lease" }
    val draining = async { client.emptyMailbox(3_600_000uL) }
    yield()
    draining.cancel()
    check(draining.ended() == null) { "it drains" }
    val handle = client.drain(3_600_000uL)
    handle.cancel()
    check(withTimeout(20_000) { handle.wait() } == Mailbox.TIME_UP)
    println("cancelled waits end")
}

/** The sample of docs/MOBILE.md: beside an application that is awake, with texts that wait, and without. */
suspend fun wakes(place: Place, login: String, leave: suspend () -> Unit) {
    val shown = mutableListOf<String>()
    val push = suspend {
        withTimeout(60_000) {
            onPush(place.path, place.key, USER, place.options(), place.backend.token()) { _, body -> shown += body }
        }
    }
    repeat(3) { place.write(login, "waits $it") }
    push()
    check(shown.isEmpty()) { "the application is awake, and the extension takes its messages" }
    leave()
    push()
    check(shown == List(3) { "waits $it" }) { shown }
    push()
    check(shown.size == 3) { "a message is shown twice" }
    println("wakes, by the sample of docs/MOBILE.md")
}

fun main(arguments: Array<String>) = runBlocking {
    val place = Place(arguments[0])
    val store = Store.create(place.path, place.key)
    val lease = store.tryLease(USER, "app", 10_000uL)
    try {
        store.tryLease(USER, "extension", 10_000uL)
        error("two hold the account")
    } catch (held: WaException.Held) {
        check(held.holder == "app") { held }
    }
    val client = openClient(lease.account(), place.options())
    val events = Events(client)
    val login = client.enlist(PlatformHttp(), 1.toUShort(), USER, place.backend.token())
    println("enlists as $login")
    talks(place, client, events, login)
    cancelledCallsEnd(place, store)
    noEventIsLostByCancelling(place, client, events, login)
    cancelledWaitsEnd(store, client, lease)
    wakes(place, login) {
        client.shutDown()
        lease.release()
        store.shutDown()
    }
    println("wa_ffi ${version()}: all of it works from Kotlin")
}
