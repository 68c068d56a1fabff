/** The page: which room of it is shown stands behind the `#` of the address. */
import { render } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Picture } from '../api.js'
import { useLive } from './ask.js'
import { DeadLetters } from './dead-letters.js'
import { Groups } from './groups.js'
import { History } from './history.js'
import { Messages } from './messages.js'
import { Overview } from './overview.js'
import { Trouble } from './parts.js'
import { Streams } from './streams.js'
import { Verify } from './verify.js'

const rooms = {
  overview: 'Overview',
  messages: 'Messages',
  groups: 'Groups',
  'dead-letters': 'Dead letters',
  streams: 'Streams',
  verify: 'Verify',
}
type Room = keyof typeof rooms

interface PagePlace {
  room: Room
  topic: string | undefined
}

function placeNow(): PagePlace {
  const [room, topic] = location.hash.slice(1).split('/', 2)
  return { room: Object.hasOwn(rooms, room) ? (room as Room) : 'overview', topic: topic === '' ? undefined : topic }
}

function usePlace(): PagePlace {
  const [place, setPlace] = useState(placeNow)
  useEffect(() => {
    const look = () => setPlace(placeNow())
    addEventListener('hashchange', look)
    return () => removeEventListener('hashchange', look)
  }, [])
  return place
}

function Page() {
  const history = useRef(new History())
  const { picture, trouble } = useLive((next) => history.current.add(next))
  const place = usePlace()
  return (
    <>
      <header class="top">
        <h1>
          Bookend <span>{picture?.directory}</span>
        </h1>
        {picture !== undefined && <p class="owner">{ownerText(picture)}</p>}
        <nav aria-label="Rooms of the page">
          {Object.entries(rooms).map(([room, title]) => (
            <a key={room} href={`#${room}`} aria-current={room === place.room ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
      </header>
      <main>
        {trouble !== undefined && <Trouble text={trouble} />}
        {picture === undefined ? <p class="quiet">Loading the log.</p> : roomOf(place, picture, history.current)}
      </main>
    </>
  )
}

function roomOf({ room, topic }: PagePlace, picture: Picture, history: History) {
  if (room === 'messages') return <Messages {...{ picture, topic }} />
  if (room === 'groups') return <Groups {...{ picture, history }} />
  if (room === 'dead-letters') return <DeadLetters {...{ picture, topic }} />
  if (room === 'streams') return <Streams />
  if (room === 'verify') return <Verify />
  return <Overview {...{ picture, history }} />
}

function ownerText({ owner, isWritable, seesMappings }: Picture): string {
  const who =
    owner.state === 'running'
      ? `Open in process ${owner.pid ?? 'unknown'}`
      : owner.state === 'none'
        ? 'Nobody has it open'
        : 'Whether it is open cannot be told'
  const mapped = seesMappings ? '' : ', whose mappings may not be seen'
  return `${who}${mapped}. This page ${isWritable ? 'may change it while nobody has it open' : 'only looks'}.`
}

const page = document.getElementById('page')
if (page !== null) {
  page.replaceChildren()
  render(<Page />, page)
}
