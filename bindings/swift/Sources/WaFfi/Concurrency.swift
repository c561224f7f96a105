// What Swift's concurrency adds to the generated interface: events as a stream, and calls that end with their task.

/// Makes a call that ends with its task: the call is given a canceller, which the task's cancellation uses.
///
///     try await cancellable { try await client.connect(token: token, canceller: $0) }
public func cancellable<Value>(_ call: (Canceller) async throws -> Value) async throws -> Value {
    let canceller = Canceller()
    do {
        return try await withTaskCancellationHandler {
            try await call(canceller)
        } onCancel: {
            canceller.cancel()
        }
    } catch WaError.Cancelled {
        throw CancellationError()
    }
}

/// The events of a client, for one task at a time.
///
/// An event is confirmed when the next one is asked for; one on which a loop ends is confirmed by the next confirmation, or told
/// again when the account is opened again. A call may be cancelled and made again: no event is lost.
public actor Events {
    private let client: Client
    private var turn: UInt64 = 0
    private var unconfirmed: UInt64?

    public init(_ client: Client) {
        self.client = client
    }

    /// The next event; waits as long as it takes.
    public func next() async throws -> Event {
        if let number = unconfirmed {
            try await client.confirmThrough(number: number)
            unconfirmed = nil
        }
        let (client, turn) = (client, turn)
        let told = try await cancellable { try await client.eventAfter(turn: turn, canceller: $0) }
        self.turn = told.turn
        unconfirmed = told.event.number
        return told.event
    }

    /// All that are to come; it ends with its task, and fails with the reason why there will be none any more. Each stream goes
    /// on where the last one ended.
    public nonisolated func stream() -> AsyncThrowingStream<Event, Error> {
        AsyncThrowingStream { try await self.next() }
    }
}

extension Client {
    /// Connects, and again whenever the connection ends; throws why that cannot help any more. Ends with its task.
    public func keepConnected(tokens: Tokens) async throws {
        let staying = await stayConnected(tokens: tokens)
        try await withTaskCancellationHandler {
            try await staying.ended()
        } onCancel: {
            staying.cancel()
        }
    }

    /// Empties the mailbox beside the task that takes the events, for so long at most. Ends with its task.
    public func emptyMailbox(budgetMillis: UInt64) async throws -> Mailbox {
        let draining = await drain(budgetMillis: budgetMillis)
        return try await withTaskCancellationHandler {
            try await draining.wait()
        } onCancel: {
            draining.cancel()
        }
    }
}
