/** The headers by which a dead letter says what it is. They stand beside the message's own, in names that begin with {@link letterPrefix}. */

export const letterPrefix = 'bookend-'

export const letterHeaders = {
  /** Name and text of the error that it was given up for. */
  error: 'bookend-error',
  /** Where the message stood, when it was appended there (ms since the epoch), and who could not handle it. */
  topic: 'bookend-topic',
  offset: 'bookend-offset',
  timestamp: 'bookend-timestamp',
  group: 'bookend-group',
  /** Calls that failed with it; 0: it stands for messages that could not be read, up to `next`. */
  attempts: 'bookend-attempts',
  next: 'bookend-next',
  /** There was no room for the value beside these. */
  value: 'bookend-value',
} as const
