// What coroutines add to the generated interface: events as a flow, and calls that end with their coroutine.
//
// A coroutine that is cancelled while it awaits a call ends that call in the library as well: the attempt to connect, the
// transfer of a file, the wait for a lease.

package uniffi.wa_ffi

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector

/**
 * The events of a client, for one coroutine at a time.
 *
 * An event is confirmed when the next one is asked for; one on which a collection ends is confirmed by the next confirmation,
 * or told again when the account is opened again. A collection may be cancelled, and another one goes on where it ended: no
 * event is lost.
 */
class Events(private val client: Client) {
    private var turn = 0uL
    private var unconfirmed: ULong? = null

    /** All that are to come; it fails with the reason why there will be none any more. */
    fun asFlow(): Flow<Event> = object : Flow<Event> {
        // No flow builder, whose `emit` may throw before the collector is called: the event would be lost.
        override suspend fun collect(collector: FlowCollector<Event>) {
            while (true) {
                unconfirmed?.let { client.confirmThrough(it) }
                unconfirmed = null
                val told = client.eventAfter(turn)
                turn = told.turn
                unconfirmed = told.event.number
                collector.emit(told.event)
            }
        }
    }
}

/** Connects, and again whenever the connection ends; throws why that cannot help any more. Ends with its coroutine. */
suspend fun Client.keepConnected(tokens: Tokens) {
    val staying = stayConnected(tokens)
    try {
        staying.ended()
    } finally {
        staying.cancel()
    }
}

/** Empties the mailbox beside the coroutine that takes the events, for so long at most. Ends with its coroutine. */
suspend fun Client.emptyMailbox(budgetMillis: ULong): Mailbox {
    val draining = drain(budgetMillis)
    try {
        return draining.wait()
    } finally {
        draining.cancel()
    }
}
