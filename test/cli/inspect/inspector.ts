/** `bookend inspect` as a user starts it, and asking it as its page does. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { commandFile } from '../command.js'

export interface RunningInspector {
  /** As it was printed. */
  url: string
  origin: string
  token: string
  get<T>(path: string, parameters?: Record<string, string>): Promise<{ status: number; body: T }>
  post<T>(name: string, body: unknown): Promise<{ status: number; body: T }>
  /** Ctrl-C. @returns the exit status */
  end(): Promise<number | null>
}

export async function inspector(directory: string, ...options: string[]): Promise<RunningInspector> {
  const command = spawn(process.execPath, [commandFile, 'inspect', directory, ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(async () => {
    await end(command)
  })
  const [url] = (await once(createInterface(command.stdout), 'line')) as [string]
  const { origin, searchParams } = new URL(url)
  const token = searchParams.get('token') ?? ''
  const authorization = `Bearer ${token}`
  const answer = async <T>(response: Response) => ({ status: response.status, body: (await response.json()) as T })
  return {
    ...{ url, origin, token },
    get: async (path, parameters = {}) =>
      answer(await fetch(`${origin}/api/${path}?${new URLSearchParams(parameters)}`, { headers: { authorization } })),
    post: async (name, body) =>
      answer(
        await fetch(`${origin}/api/${name}`, {
          method: 'POST',
          headers: { authorization, 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
      ),
    end: () => end(command),
  }
}

async function end(command: ChildProcess): Promise<number | null> {
  if (command.exitCode === null) {
    const ended = once(command, 'exit')
    command.kill('SIGINT')
    await ended
  }
  return command.exitCode
}
