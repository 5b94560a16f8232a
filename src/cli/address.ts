export interface Address {
  readonly host: string
  /** 0: a free one. */
  readonly port: number
}

/** Reads HOST:PORT, an IPv6 address in brackets. Throws with the name of the flag. */
export function parseAddress(flag: string, text: string): Address {
  const match = /^(?<host>\[[0-9a-f:.]+\]|[^:[\]]+):(?<port>\d{1,5})$/i.exec(text)
  const host = match?.groups?.host?.replace(/^\[|\]$/g, '')
  const port = Number(match?.groups?.port)
  if (host !== undefined && port <= 65_535) return { host, port }
  throw new Error(`${flag}: "${text}" is not of the form HOST:PORT, as 0.0.0.0:9402`)
}
