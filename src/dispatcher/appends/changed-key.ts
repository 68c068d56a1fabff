/** A key may have got another message since it was looked up: nothing was written, and whoever has looked looks again. It never reaches an application. */
export class ChangedKeyError extends Error {
  constructor(topic: string) {
    super(`a key of topic "${topic}" may have changed since it was looked up`)
  }
}
