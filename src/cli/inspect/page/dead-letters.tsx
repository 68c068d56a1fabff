/** Messages that could not be handled: why, and bringing them back. */
import { useState } from 'preact/hooks'
import { counted, preciseTime, whole } from '../../units.js'
import type { DeadLetterPage, DeadLetterRow, Picture } from '../api.js'
import { change, useAnswer } from './ask.js'
import { Confirm, number, Table, Trouble } from './parts.js'
import { visible } from './visible.js'

export function DeadLetters({ picture, topic }: { picture: Picture; topic: string | undefined }) {
  const asked = useAnswer<string[]>('dead-letter-topics', {})
  if (asked.state === 'asking') return <p class="quiet">Looking for dead letters.</p>
  if (asked.state === 'refused') return <Trouble text={asked.error} />
  const topics = asked.answer
  const chosen = topic ?? topics.at(0)
  return (
    <>
      <h2>Dead letters</h2>
      {topics.length === 0 && <p class="quiet">No topic holds dead letters.</p>}
      {topics.length > 0 && (
        <nav class="choice" aria-label="Topics of dead letters">
          {topics.map((name) => (
            <a key={name} href={`#dead-letters/${name}`} aria-current={name === chosen ? 'page' : undefined}>
              {name}
            </a>
          ))}
        </nav>
      )}
      {chosen !== undefined && <Letters key={chosen} topic={chosen} isWritable={picture.isWritable} />}
    </>
  )
}

type Settlement = 'redrive' | 'discard'

const settlements: readonly { name: Settlement; action: string; text: string }[] = [
  {
    name: 'redrive',
    action: 'Bring back',
    text: 'Appended to the topic it came from, behind what is there, and removed here.',
  },
  { name: 'discard', action: 'Discard', text: 'Never to be read again.' },
]

/** To be confirmed: for one letter, or for all. */
interface Question {
  name: Settlement
  action: string
  text: string
  letter: DeadLetterRow | undefined
}

function Letters({ topic, isWritable }: { topic: string; isWritable: boolean }) {
  const [attempt, setAttempt] = useState(0)
  const [question, setQuestion] = useState<Question>()
  const [trouble, setTrouble] = useState<string>()
  const asked = useAnswer<DeadLetterPage>('dead-letters', { topic }, attempt)
  const answer = (isConfirmed: boolean) => {
    setQuestion(undefined)
    if (!isConfirmed || question === undefined) return
    const { name, letter } = question
    change(name, letter === undefined ? { topic } : { topic, offset: String(letter.offset) }).then(
      () => {
        setTrouble(undefined)
        setAttempt(attempt + 1)
      },
      (error: Error) => setTrouble(error.message),
    )
  }
  const buttons = (letter?: DeadLetterRow) => (
    <p class="actions">
      {settlements.map((settlement) => (
        <button
          key={settlement.name}
          type="button"
          class={settlement.name === 'discard' ? 'danger' : ''}
          aria-label={letter && `${settlement.action} letter ${letter.offset}…`}
          onClick={() => setQuestion({ ...settlement, letter })}
        >
          {settlement.action} {letter === undefined ? 'all' : ''}…
        </button>
      ))}
    </p>
  )
  if (asked.state === 'asking') return <p class="quiet">Reading them.</p>
  if (asked.state === 'refused') return <Trouble text={asked.error} />
  const { letters, isCut } = asked.answer
  return (
    <>
      <p role="status">
        {isCut ? 'The first ' : ''}
        {counted(letters.length, 'dead letter')}
      </p>
      {isWritable && letters.length > 0 && buttons()}
      {trouble !== undefined && <Trouble text={trouble} />}
      {letters.length > 0 && (
        <Table
          label="Table of dead letters"
          columns={[
            ...[number('Offset'), 'Time', 'Message', 'Group', number('Attempts'), 'Error'],
            ...(isWritable ? ['Settle'] : []),
          ]}
        >
          {letters.map((letter) => (
            <tr key={letter.offset}>
              <td class="number">{whole(letter.offset)}</td>
              <td class="time">{preciseTime(letter.timestamp)}</td>
              <td>
                {visible(letter.topic)}:{letter.from}
              </td>
              <td>{visible(letter.group)}</td>
              <td class="number">{whole(letter.attempts)}</td>
              <td class="value">{visible(letter.error)}</td>
              {isWritable && <td>{buttons(letter)}</td>}
            </tr>
          ))}
        </Table>
      )}
      {question !== undefined && (
        <Confirm title={titleOf(question)} text={question.text} action={question.action} onDone={answer} />
      )}
    </>
  )
}

function titleOf({ action, letter }: Question): string {
  return letter === undefined ? `${action}: all of them?` : `${action}: ${visible(letter.topic)}:${letter.from}?`
}
