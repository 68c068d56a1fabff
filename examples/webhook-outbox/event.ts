/** What the outbox holds: one call to somebody's endpoint. */
export interface WebhookEvent {
  readonly url: string
  readonly customer: string
  readonly body: unknown
}
