import { execFile } from 'node:child_process'
import { dirname } from 'node:path'
import { type Json, listAt, parseJson, textAt } from '../harness/json.ts'
import type { Chain, Finding, Validator } from './chain.ts'

/** A validator that is a program of ours: it reads a line of JSON a chain, and writes one. */
export function batchValidator(name: string, command: string, args: readonly string[]): Validator {
  return {
    name,
    judge: async (chains) => {
      const output = await ask(command, args, chains.map(questionOf).join(''))
      const answers = output
        .trimEnd()
        .split('\n')
        .map((line) => listAt(parseJson(line)).map(readFinding))
      if (answers.length === chains.length) return answers
      throw new Error(`${name} answered ${answers.length} of ${chains.length} chains`)
    },
  }
}

function questionOf({ certificates, purposes, host, time }: Chain): string {
  const question = {
    certificates: certificates.map((der) => Buffer.from(der).toString('base64')),
    purposes,
    host,
    time: time / 1000,
  }
  return `${JSON.stringify(question)}\n`
}

function readFinding(finding: Json): Finding {
  return {
    severity: textAt(finding, 'severity'),
    rule: textAt(finding, 'rule'),
    detail: textAt(finding, 'detail'),
  }
}

function ask(command: string, args: readonly string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { env: { PATH: dirname(command) }, maxBuffer: 100e6, timeout: 300_000 }
    const child = execFile(command, args, options, (error, stdout, stderr) => {
      if (error) reject(new Error(`${command}: ${stderr || error.message}`, { cause: error }))
      else resolve(stdout)
    })
    // A program that ends early says more than the pipe that breaks with it.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
  })
}
