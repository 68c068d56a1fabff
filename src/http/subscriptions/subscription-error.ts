/** Why a request to a subscription is refused, with a code that clients go by. */
const statuses = {
  INVALID_REQUEST: 400,
  WEBHOOK_URL_REJECTED: 400,
  TOKEN_INVALID: 401,
  SUBSCRIPTION_NOT_FOUND: 404,
  SUBSCRIPTION_ALREADY_EXISTS: 409,
  FENCED: 409,
  ALREADY_CLAIMED: 409,
  NO_PENDING_WORK: 409,
  INVALID_OFFSET: 409,
  TOO_MANY_SUBSCRIPTIONS: 503,
} as const

export class SubscriptionError extends Error {
  readonly status: number
  readonly body: object

  /** @param more what else the answer says */
  constructor(code: keyof typeof statuses, message: string, more: object = {}) {
    super(message)
    this.status = statuses[code]
    this.body = { error: { code, message, ...more } }
  }
}
