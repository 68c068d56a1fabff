/** Asking the server. What it refuses becomes an error with its own words. */
import { useEffect, useState } from 'preact/hooks'
import type { Picture, Refusal } from '../api.js'

export async function ask<T>(path: string, parameters: Record<string, string> = {}, signal?: AbortSignal): Promise<T> {
  return answerOf<T>(await fetch(`/api/${path}?${new URLSearchParams(parameters)}`, { signal }))
}

export async function change<T>(name: string, body: Record<string, string>): Promise<T> {
  const headers = { 'content-type': 'application/json' }
  return answerOf<T>(await fetch(`/api/${name}`, { method: 'POST', headers, body: JSON.stringify(body) }))
}

async function answerOf<T>(response: Response): Promise<T> {
  const answer = (await response.json()) as T | Refusal
  if (response.ok) return answer as T
  throw new Error((answer as Refusal).error)
}

export interface Live {
  picture?: Picture
  /** Why there is no newer picture. */
  trouble?: string
}

/** The log as it is now, for as long as somebody looks. */
export function useLive(onPicture: (picture: Picture) => void): Live {
  const [live, setLive] = useState<Live>({})
  useEffect(() => {
    const source = new EventSource('/api/live')
    source.addEventListener('picture', (event) => {
      const picture = JSON.parse(event.data) as Picture
      onPicture(picture)
      setLive({ picture })
    })
    source.addEventListener('failed', (event) => {
      const { error } = JSON.parse(event.data) as Refusal
      setLive((before) => ({ ...before, trouble: error }))
    })
    // The browser tries again by itself.
    source.onerror = () => setLive((before) => ({ ...before, trouble: 'The inspector does not answer: was it ended?' }))
    return () => source.close()
  }, [])
  return live
}

export type Asked<T> = { state: 'asking' } | { state: 'answered'; answer: T } | { state: 'refused'; error: string }

/** Asks anew when one of the parameters changes; what was asked before is dropped. */
export function useAnswer<T>(path: string, parameters: Record<string, string>, attempt = 0): Asked<T> {
  const [asked, setAsked] = useState<Asked<T>>({ state: 'asking' })
  useEffect(() => {
    const dropped = new AbortController()
    setAsked({ state: 'asking' })
    ask<T>(path, parameters, dropped.signal).then(
      (answer) => setAsked({ state: 'answered', answer }),
      (error: Error) => {
        if (!dropped.signal.aborted) setAsked({ state: 'refused', error: error.message })
      },
    )
    return () => dropped.abort()
  }, [path, JSON.stringify(parameters), attempt])
  return asked
}
