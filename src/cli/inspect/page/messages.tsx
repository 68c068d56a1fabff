/** Messages of a topic: browse from a place, or search. */
import { useEffect, useState } from 'preact/hooks'
import { bytes, counted, preciseTime, whole } from '../../units.js'
import type { MessagePage, MessageRow, Picture, WholeMessage } from '../api.js'
import { ask, change, useAnswer } from './ask.js'
import { Confirm, Dialog, number, Table, Trouble } from './parts.js'
import { visible } from './visible.js'

const pageSize = 50

interface Sought {
  topic: string
  from: string
  text: string
  key: string
  header: string
}

interface Found {
  rows: MessageRow[]
  searched: number
  goOnAt?: number
}

export function Messages({ picture, topic }: { picture: Picture; topic: string | undefined }) {
  const chosen = topic ?? picture.topics.at(0)?.name
  if (chosen === undefined) return <p class="quiet">Nothing was appended yet.</p>
  return <TopicMessages key={chosen} picture={picture} topic={chosen} />
}

function TopicMessages({ picture, topic }: { picture: Picture; topic: string }) {
  const bounds = picture.topics.find(({ name }) => name === topic)
  const lastPage = Math.max(bounds?.first ?? 0, (bounds?.next ?? 0) - pageSize)
  const [wanted, setWanted] = useState<Sought>({ topic, from: String(lastPage), text: '', key: '', header: '' })
  const [shown, setShown] = useState<number>()
  const search = useSearch(wanted)
  const earlier = earlierThan(wanted.from, bounds?.first ?? 0)
  return (
    <>
      <h2>Messages</h2>
      <Query key={wanted.from} {...{ picture, wanted, onWanted: setWanted }} />
      {search.error !== undefined && <Trouble text={search.error} />}
      <MessageTable rows={search.found.rows} onShow={setShown} />
      <p role="status">
        {search.isSearching
          ? `Looking through messages: ${whole(search.found.searched)} so far.`
          : `${counted(search.found.rows.length, 'message')} found in ${whole(search.found.searched)}.`}{' '}
        {!search.isSearching && earlier !== undefined && (
          <button type="button" onClick={() => setWanted({ ...wanted, from: earlier })}>
            Earlier
          </button>
        )}{' '}
        {!search.isSearching && search.found.goOnAt !== undefined && (
          <button type="button" onClick={search.more}>
            More
          </button>
        )}
        {search.isSearching && (
          <button type="button" onClick={search.stop}>
            Stop
          </button>
        )}
      </p>
      {picture.isWritable && <Trim topic={topic} />}
      {shown !== undefined && <MessageDialog topic={topic} offset={shown} onClose={() => setShown(undefined)} />}
    </>
  )
}

/** Where the page before begins; undefined: there is none, or the place is no offset. */
function earlierThan(from: string, first: number): string | undefined {
  const at = /^\d+$/.test(from) ? Number(from) : first
  return at > first ? String(Math.max(first, at - pageSize)) : undefined
}

/** Asks for page after page until enough is found: what matches may be rare. */
function useSearch(wanted: Sought) {
  const [found, setFound] = useState<Found>({ rows: [], searched: 0 })
  const [goal, setGoal] = useState(pageSize)
  const [error, setError] = useState<string>()
  const [running, setRunning] = useState<AbortController>()
  const start = async (from: string, before: Found, enough: number) => {
    const stopped = new AbortController()
    setRunning(stopped)
    setError(undefined)
    let all = before
    try {
      for (let place: string | undefined = from; place !== undefined && all.rows.length < enough; ) {
        const parameters: Record<string, string> = {
          ...{ topic: wanted.topic, from: place, text: wanted.text, key: wanted.key },
          limit: String(Math.min(pageSize, enough - all.rows.length)),
          ...(wanted.header === '' ? {} : { header: wanted.header }),
        }
        const page: MessagePage = await ask<MessagePage>('messages', parameters, stopped.signal)
        all = {
          rows: [...all.rows, ...page.messages],
          searched: all.searched + page.searched,
          goOnAt: page.goOnAt,
        }
        setFound(all)
        place = page.goOnAt === undefined ? undefined : String(page.goOnAt)
      }
    } catch (failure) {
      if (!stopped.signal.aborted) setError((failure as Error).message)
    }
    setRunning((current) => (current === stopped ? undefined : current))
    return stopped
  }
  useEffect(() => {
    running?.abort()
    setGoal(pageSize)
    setFound({ rows: [], searched: 0 })
    void start(wanted.from, { rows: [], searched: 0 }, pageSize)
  }, [wanted])
  return {
    found,
    error,
    isSearching: running !== undefined,
    stop: () => running?.abort(),
    more: () => {
      setGoal(goal + pageSize)
      void start(String(found.goOnAt), found, goal + pageSize)
    },
  }
}

function Query({
  picture,
  wanted,
  onWanted,
}: {
  picture: Picture
  wanted: Sought
  onWanted: (wanted: Sought) => void
}) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    const fields = new FormData(event.currentTarget as HTMLFormElement)
    const text = (name: string) => String(fields.get(name) ?? '').trim()
    onWanted({ ...wanted, from: text('from') || 'first', text: text('text'), key: text('key'), header: text('header') })
  }
  return (
    <form class="query" onSubmit={submit}>
      <label>
        Topic
        <select
          value={wanted.topic}
          onChange={(event) => {
            location.hash = `messages/${event.currentTarget.value}`
          }}
        >
          {picture.topics.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <label>
        From
        <input name="from" defaultValue={wanted.from} placeholder="first, an offset, 10m, 2026-11-26 13:00" />
      </label>
      <label>
        Holds
        <input name="text" defaultValue={wanted.text} placeholder="text in value, key or headers" />
      </label>
      <label>
        Key
        <input name="key" defaultValue={wanted.key} />
      </label>
      <label>
        Header
        <input name="header" defaultValue={wanted.header} placeholder="name=value" pattern="[^=]+=.*" />
      </label>
      <button type="submit">Show</button>
    </form>
  )
}

function MessageTable({ rows, onShow }: { rows: MessageRow[]; onShow: (offset: number) => void }) {
  if (rows.length === 0) return null
  return (
    <Table
      label="Messages that were found"
      class="messages"
      columns={[number('Offset'), 'Time', 'Key', 'Value', number('Size')]}
    >
      {rows.map(({ offset, timestamp, key, headers, value, valueBytes, isCut }) => (
        <tr key={offset}>
          <td class="number">
            <button type="button" class="link" onClick={() => onShow(offset)}>
              {offset}
            </button>
          </td>
          <td class="time">{preciseTime(timestamp)}</td>
          <td>{key}</td>
          <td class="value">
            {headers !== undefined && <Headers headers={headers} />}
            {value}
            {isCut && <span class="quiet"> …</span>}
          </td>
          <td class="number">{bytes(valueBytes)}</td>
        </tr>
      ))}
    </Table>
  )
}

function Headers({ headers }: { headers: Record<string, string> }) {
  return (
    <>
      {Object.entries(headers).map(([name, text]) => (
        <span key={name} class="header">
          {visible(name)}={visible(text)}
        </span>
      ))}
    </>
  )
}

function MessageDialog({ topic, offset, onClose }: { topic: string; offset: number; onClose: () => void }) {
  const asked = useAnswer<WholeMessage>('message', { topic, offset: String(offset) })
  return (
    <Dialog title={`Message ${offset} of ${topic}`} onClose={onClose}>
      {asked.state === 'asking' && <p class="quiet">Reading it.</p>}
      {asked.state === 'refused' && <Trouble text={asked.error} />}
      {asked.state === 'answered' && <MessageParts message={asked.answer} />}
    </Dialog>
  )
}

function MessageParts({ message }: { message: WholeMessage }) {
  const { topic, offset, timestamp, key, headers, valueBytes, isCut } = message
  return (
    <>
      <dl class="parts">
        <dt>Time</dt>
        <dd>{preciseTime(timestamp)}</dd>
        {key !== undefined && (
          <>
            <dt>Key</dt>
            <dd>{key}</dd>
          </>
        )}
        {headers !== undefined && (
          <>
            <dt>Headers</dt>
            <dd>
              <Headers headers={headers} />
            </dd>
          </>
        )}
        <dt>Value</dt>
        <dd>
          {bytes(valueBytes)}
          {isCut ? ', shown in part' : ''}{' '}
          <a href={`/api/value?${new URLSearchParams({ topic, offset: String(offset) })}`} download>
            Download
          </a>
        </dd>
      </dl>
      <pre>{valueText(message)}</pre>
    </>
  )
}

/** JSON indented, other text as it is, bytes in hexadecimal. */
function valueText({ value, encoding, isCut }: WholeMessage): string {
  if (encoding === 'base64') return hexOf(value)
  if (isCut) return visible(value)
  try {
    return visible(JSON.stringify(JSON.parse(value), null, 2))
  } catch {
    return visible(value)
  }
}

const hexLimit = 4_096
const bytesOfLine = 16

function hexOf(base64: string): string {
  const binary = atob(base64).slice(0, hexLimit)
  const lines: string[] = []
  for (let at = 0; at < binary.length; at += bytesOfLine) {
    const part = [...binary.slice(at, at + bytesOfLine)]
    const hex = part.map((byte) => byte.charCodeAt(0).toString(16).padStart(2, '0')).join(' ')
    const ascii = part.map((byte) => (byte >= ' ' && byte <= '~' ? byte : '.')).join('')
    lines.push(`${at.toString(16).padStart(8, '0')}  ${hex.padEnd(bytesOfLine * 3)} ${ascii}`)
  }
  return lines.join('\n')
}

function Trim({ topic }: { topic: string }) {
  const [before, setBefore] = useState('')
  const [isAsking, setAsking] = useState(false)
  const [said, setSaid] = useState<{ text: string; isTrouble: boolean }>()
  const run = (isConfirmed: boolean) => {
    setAsking(false)
    if (!isConfirmed) return
    change<{ removed: number }>('trim', { topic, before }).then(
      ({ removed }) => setSaid({ text: `Removed ${counted(removed, 'message')}.`, isTrouble: false }),
      (error: Error) => setSaid({ text: error.message, isTrouble: true }),
    )
  }
  return (
    <form
      class="query"
      onSubmit={(event) => {
        event.preventDefault()
        setAsking(true)
      }}
    >
      <label>
        Remove messages below
        <input
          required
          value={before}
          onInput={(event) => setBefore(event.currentTarget.value)}
          placeholder="an offset, 7d"
        />
      </label>
      <button type="submit" class="danger">
        Trim…
      </button>
      {said !== undefined && (said.isTrouble ? <Trouble text={said.text} /> : <p role="status">{said.text}</p>)}
      {isAsking && (
        <Confirm
          title={`Trim ${topic}?`}
          text={`Messages below ${before} can never be read again.`}
          action="Remove them"
          onDone={run}
        />
      )}
    </form>
  )
}
