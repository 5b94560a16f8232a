import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { oid } from '../../src/pki/oids.ts'
import { encodePem } from '../../src/pki/pem.ts'
import type { Chain, Finding, Validator } from './chain.ts'

/** OpenSSL's own names; code signing has one from version 3.2 on, IPsec none. */
const purposeNames: ReadonlyMap<string, string> = new Map([
  [oid.serverAuth, 'sslserver'],
  [oid.clientAuth, 'sslclient'],
  [oid.emailProtection, 'smimesign'],
  [oid.timeStamping, 'timestampsign'],
  [oid.ocspSigning, 'ocsphelper'],
])

/** `openssl verify -x509_strict`, a process for each purpose of each chain. */
export const openssl: Validator = {
  name: 'OpenSSL',
  async judge(chains) {
    const folder = mkdtempSync(join(tmpdir(), 'akv-openssl-'))
    try {
      const answers: (readonly Finding[])[] = []
      const left = chains.entries()
      const work = async () => {
        for (const [n, chain] of left) answers[n] = await judgeChain(chain, join(folder, `${n}`))
      }
      await Promise.all(Array.from({ length: availableParallelism() }, work))
      return answers
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
}

async function judgeChain(chain: Chain, file: string): Promise<readonly Finding[]> {
  const { certificates, purposes, host, time } = chain
  const pem = certificates.map((der) => encodePem('CERTIFICATE', der))
  const [leaf, path, root] = [`${file}-leaf.pem`, `${file}-path.pem`, `${file}-root.pem`]
  writeFileSync(leaf, pem[0] ?? '')
  writeFileSync(path, pem.slice(0, -1).join(''))
  writeFileSync(root, pem.at(-1) ?? '')
  const hostFlag = isIP(host) ? '-verify_ip' : '-verify_hostname'
  const findings: Finding[] = []
  const names = purposes.map((id) => purposeNames.get(id) ?? 'any')
  for (const name of new Set(names.length === 0 ? ['any'] : names)) {
    const strict = ['-x509_strict', '-purpose', name, '-attime', `${time / 1000}`]
    const forHost = host === '' ? [] : [hostFlag, host]
    const files = ['-CAfile', root, '-untrusted', path, leaf]
    const fault = await verify([...strict, ...forHost, '-no-CApath', ...files])
    if (fault !== undefined) findings.push(fault)
  }
  return findings
}

function verify(args: readonly string[]): Promise<Finding | undefined> {
  return new Promise((resolve, reject) => {
    execFile('openssl', ['verify', ...args], (error, _stdout, stderr) => {
      if (!error) return resolve(undefined)
      if (typeof error.code !== 'number') return reject(error)
      const rule = /^error (\d+) /m.exec(stderr)?.[1] ?? 'load'
      return resolve({ severity: 'error', rule, detail: stderr.trim() })
    })
  })
}
