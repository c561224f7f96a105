// A conversation through the Swift package, against a local WhatsApp that runs strict: enlist, stay connected, exchange a text,
// cancel, drain. `cargo xtask bindings swift` runs it where there is a compiler of Swift; WA_SANDBOX names the program.

import Foundation
import XCTest

@testable import WaFfi

let user = "swift"
let phone = "14155551003"

struct Failed: Error {
    let what: String
}

/// HTTP as this platform has it.
final class PlatformHttp: Http, @unchecked Sendable {
    func send(question: HttpQuestion) async throws -> HttpAnswer {
        guard let url = URL(string: question.url) else { throw HttpFailed.Unreachable }
        var request = URLRequest(url: url)
        request.httpMethod = question.method
        request.httpBody = question.body
        for header in question.headers where header.name != "content-length" && header.name != "host" {
            request.addValue(header.value, forHTTPHeaderField: header.name)
        }
        guard let (body, answer) = try? await URLSession.shared.data(for: request),
            let answer = answer as? HTTPURLResponse
        else { throw HttpFailed.Interrupted }
        let headers = answer.allHeaderFields.map { HttpHeader(name: "\($0.key)", value: "\($0.value)") }
        return HttpAnswer(status: UInt16(answer.statusCode), headers: headers, body: body)
    }
}

/// What a WhatsApp user's fingers would do, and the service's own backend.
final class Sandbox: Tokens, @unchecked Sendable {
    let process = Process()
    let addresses: [String: String]

    init() throws {
        guard let program = ProcessInfo.processInfo.environment["WA_SANDBOX"] else { throw Failed(what: "no WA_SANDBOX") }
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["--port", "0", "--strict"]
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        var line = Data()
        while !line.contains(UInt8(ascii: "\n")) { line += output.fileHandleForReading.availableData }
        let json = try JSONSerialization.jsonObject(with: line) as? [String: Any] ?? [:]
        addresses = json.compactMapValues { $0 as? String }
    }

    func post(_ url: String, _ body: [String: String]) async throws -> [String: Any] {
        var request = URLRequest(url: URL(string: url)!)
        request.httpMethod = "POST"
        request.httpBody = try JSONSerialization.data(withJSONObject: body)
        request.addValue("application/json", forHTTPHeaderField: "content-type")
        let (data, _) = try await URLSession.shared.data(for: request)
        return try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
    }

    func fetch() async throws -> String {
        let answer = try await post(addresses["integrator"]! + "/token", ["user": user])
        guard let token = answer["token"] as? String else { throw NoToken.Later }
        return token
    }

    func write(_ login: String, _ text: String) async throws {
        _ = try await post(addresses["control"]! + "phones/\(phone)/send", ["to": login, "text": text])
    }

    func options(chat: String? = nil) -> Options {
        let root = stride(from: 0, to: 64, by: 2).map { at -> UInt8 in
            let digits = addresses["noise_root"]!
            let start = digits.index(digits.startIndex, offsetBy: at)
            return UInt8(digits[start..<digits.index(start, offsetBy: 2)], radix: 16)!
        }
        return Options(
            profile: "1.0.3", chat: chat ?? addresses["chat"], root: Data(root), enlist: addresses["enlist"])
    }
}

final class ConversationTests: XCTestCase {
    func testConversation() async throws {
        let sandbox = try Sandbox()
        defer { sandbox.process.terminate() }
        let path = NSTemporaryDirectory() + UUID().uuidString + ".db"
        let store = try Store.create(path: path, key: newStoreKey())
        let lease = try store.tryLease(name: user, holder: "app", termMillis: 10_000)
        XCTAssertThrowsError(try store.tryLease(name: user, holder: "extension", termMillis: 10_000))
        let client = try await openClient(account: lease.account(), options: sandbox.options())
        let events = Events(client)
        let login = try await client.enlist(
            http: PlatformHttp(), integrator: 1, user: user, token: sandbox.fetch())

        let staying = Task { try await client.keepConnected(tokens: sandbox) }
        try await until(events) { if case .connected = $0 { true } else { false } }
        try await client.send(
            to: "+" + phone, id: "first", content: .text(body: "Hello from Swift", reply: nil, mentions: []))
        try await until(events) {
            if case .receipt(_, _, let status) = $0 { status == .delivered } else { false }
        }
        try await sandbox.write(login, "Hello, Swift")
        try await until(events) {
            if case .message(_, _, _, _, .text(let body, _, _), _, _, _) = $0 { body == "Hello, Swift" } else { false }
        }

        // A cancelled wait ends, and loses nothing.
        let waiting = Task { try await events.next() }
        waiting.cancel()
        let cancelled = await waiting.result
        XCTAssertThrowsError(try cancelled.get()) { XCTAssert($0 is CancellationError, "\($0)") }
        try await sandbox.write(login, "Hello again")
        try await until(events) {
            if case .message(_, _, _, _, .text(let body, _, _), _, _, _) = $0 { body == "Hello again" } else { false }
        }
        let leasing = Task {
            try await cancellable {
                try await store.lease(name: user, holder: "extension", termMillis: 10_000, canceller: $0)
            }
        }
        await lease.wanted()
        leasing.cancel()
        let leased = await leasing.result
        XCTAssertThrowsError(try leased.get()) { XCTAssert($0 is CancellationError, "\($0)") }

        let taking = Task { for try await _ in events.stream() {} }
        let drained = try await client.emptyMailbox(budgetMillis: 20_000)
        XCTAssertEqual(drained, .empty)
        taking.cancel()
        staying.cancel()
        _ = await staying.result
        await client.shutDown()
        await lease.release()
        await store.shutDown()
    }

    /// Takes events until one is wanted.
    func until(_ events: Events, _ wanted: (Happened) -> Bool) async throws {
        while true {
            let event = try await events.next()
            if wanted(event.what) { return }
        }
    }
}
