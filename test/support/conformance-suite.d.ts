/** The suite of the protocol, as far as it is called here: its own types are of another copy of the test runner. */
declare module '@durable-streams/server-conformance-tests' {
  export function runConformanceTests(options: { baseUrl: string; longPollTimeoutMs?: number }): void
}
