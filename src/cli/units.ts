/** Numbers and times for people, on a terminal and on the inspector's page: nothing of Node.js in here. */

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

export function bytes(count: number): string {
  let value = count
  let unit = 0
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024
  return `${unit === 0 ? Math.round(value) : value.toFixed(value < 100 ? 1 : 0)} ${units[unit]}`
}

export function whole(count: number): string {
  return Math.round(count).toLocaleString('en-US')
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${whole(count)} ${count === 1 ? one : many}`
}

/** Local time, to the second. */
export function time(ms: number): string {
  const local = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000)
  return local.toISOString().slice(0, 19).replace('T', ' ')
}

/** Local time, to the millisecond. */
export function preciseTime(ms: number): string {
  return `${time(ms)}.${String(ms % 1_000).padStart(3, '0')}`
}
