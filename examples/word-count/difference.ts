/** A topic that does not hold what its source was: the finding that makes the job fail. */
export interface Difference {
  readonly topicName: string
  readonly source: string
  readonly reason: string
}
