import { hash, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Clock } from '../clock.ts'
import { IssuerError } from '../error.ts'
import type { Log } from '../log.ts'
import type { CheckSender } from './sender.ts'

export interface SharedSecretOptions {
  /** One secret a line: the old and the new one while it is changed. */
  readonly file: string
  readonly clock: Clock
  readonly log: Log
}

/** A changed file counts after this long. */
const rereadMs = 5_000
const maxSecrets = 4

/**
 * Knows the sender by a secret that the subscription sends along. The file is read again while
 * requests come; one that became unusable leaves the secrets as they were.
 *
 * @throws IssuerError `SpecInvalid` for a file that is unusable from the start
 */
export async function sharedSecret(options: SharedSecretOptions): Promise<CheckSender> {
  const { file, clock, log } = options
  let digests = await readDigests(file)
  let readAt = clock.monotonic()
  let isUsable = true

  async function refresh(): Promise<void> {
    if (clock.monotonic() - readAt < rereadMs) return
    readAt = clock.monotonic()
    try {
      digests = await readDigests(file)
      isUsable = true
    } catch (error) {
      if (isUsable) log.warn('the secret of Event Grid could not be read again', { file, error })
      isUsable = false
    }
  }

  return async (token) => {
    await refresh()
    // Digests are of one length, and all are compared: the time tells nothing of any secret.
    const given = digestOf(token)
    const hits = digests.filter((digest) => timingSafeEqual(digest, given))
    return hits.length > 0
      ? { kind: 'known' }
      : { kind: 'refused', reason: 'the Bearer token is not the secret' }
  }
}

async function readDigests(file: string): Promise<readonly Uint8Array[]> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new IssuerError('SpecInvalid', `the secret file ${file} cannot be read`, { cause })
  })
  const secrets = text.split(/\r?\n/).filter((line) => line !== '')
  if (secrets.length === 0 || secrets.length > maxSecrets) {
    throw new IssuerError(
      'SpecInvalid',
      `the secret file ${file} has ${secrets.length} lines, expected 1 to ${maxSecrets}: one secret each`,
    )
  }
  const weak = secrets.findIndex((secret) => !isStrong(secret))
  if (weak !== -1) {
    throw new IssuerError(
      'SpecInvalid',
      `line ${weak + 1} of the secret file ${file} can not hold 128 bits, expected at least 32 ` +
        'hexadecimal digits or 22 characters of Base64: make one with openssl rand -hex 32',
    )
  }
  return secrets.map(digestOf)
}

/** Room for 128 bits, and only what a header can carry as a Bearer token. */
function isStrong(secret: string): boolean {
  if (/^([0-9a-f]+|[0-9A-F]+)$/.test(secret)) return secret.length >= 32
  return /^[A-Za-z0-9._~+/-]{22,}={0,2}$/.test(secret)
}

function digestOf(secret: string): Uint8Array {
  return hash('sha256', secret, 'buffer')
}
