// A conversation through the Kotlin bindings, against a local WhatsApp that runs strict: enlist, stay connected, exchange a
// text, drain, cancel. `cargo xtask bindings kotlin` compiles and runs it.

import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse
import java.nio.file.Files
import java.util.HexFormat
import kotlinx.coroutines.async
import kotlinx.coroutines.channels.awaitClose
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import uniffi.wa_ffi.Client
import uniffi.wa_ffi.Content
import uniffi.wa_ffi.Event
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
import uniffi.wa_ffi.newStoreKey
import uniffi.wa_ffi.openClient
import uniffi.wa_ffi.version

const val USER = "kotlin"
const val PHONE = "14155551002"

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
    fun token(): String = field(post("$integrator/token", "{\"user\":\"$USER\"}"), "token")

    override suspend fun fetch(): String = token()
}

/** The events as a flow, each confirmed before the next is asked for. */
fun Client.events(): Flow<Event> = flow {
    while (true) {
        val event = nextEvent(1_000uL) ?: continue
        emit(event)
        event.number?.let { confirmThrough(it) }
    }
}

suspend inline fun <reified T : Happened> Client.until(crossinline wanted: (T) -> Boolean = { true }): T =
    withTimeout(20_000) { events().first { event -> event.what.let { it is T && wanted(it) } }.what as T }

fun main(arguments: Array<String>) = runBlocking {
    val addresses = arguments[0]
    val directory = Files.createTempDirectory("wa-ffi")
    val backend = Backend(field(addresses, "integrator"))
    val options = Options(
        profile = "1.0.3",
        chat = field(addresses, "chat"),
        root = HexFormat.of().parseHex(field(addresses, "noise_root")),
        enlist = field(addresses, "enlist"),
    )
    val store = Store.create(directory.resolve("store.db").toString(), newStoreKey())
    val lease = store.tryLease(USER, "app", 10_000uL)
    try {
        store.tryLease(USER, "extension", 10_000uL)
        error("two hold the account")
    } catch (held: WaException.Held) {
        check(held.holder == "app") { held }
    }
    val client = openClient(lease.account(), options)
    val login = client.enlist(PlatformHttp(), 1.toUShort(), USER, backend.token())
    println("enlists as $login")

    val staying = client.stayConnected(backend)
    client.until<Happened.Connected>()
    client.send("+$PHONE", "first", Content.Text("Hello from Kotlin", null, listOf()))
    client.until<Happened.Receipt> { it.status == Status.DELIVERED }
    post(field(addresses, "control") + "phones/$PHONE/send", "{\"to\":\"$login\",\"text\":\"Hello, Kotlin\"}")
    val message = client.until<Happened.Message>()
    check((message.content as Content.Text).body == "Hello, Kotlin") { message }
    println("talks")

    val drained = coroutineScope {
        val draining = client.drain(20_000uL)
        val drained = async { draining.wait() }
        while (!drained.isCompleted) {
            client.nextEvent(50uL)?.number?.let { client.confirmThrough(it) }
        }
        drained.await()
    }
    check(drained == Mailbox.EMPTY) { drained }
    println("drains")

    val draining = client.drain(3_600_000uL)
    draining.cancel()
    withTimeout(20_000) { draining.wait() }
    staying.cancel()
    withTimeout(20_000) { staying.ended() }
    println("cancels")

    client.shutDown()
    lease.release()
    store.shutDown()
    println("wa_ffi ${version()}: all of it works from Kotlin")
}
