import { spawn } from 'node:child_process'

export interface ProgramOutput {
  /** -1 when a signal ended it. */
  readonly code: number
  readonly stdout: Buffer
  readonly stderr: string
}

export interface ProgramResult extends Omit<ProgramOutput, 'stdout'> {
  readonly stdout: string
}

export interface ProgramSetting {
  readonly program: string
  readonly kubeconfig: string
  /** Holds its caches. */
  readonly home: string
}

/** Runs a program to its end, with no other environment than `env`. */
export function runToEnd(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  input = '',
): Promise<ProgramOutput> {
  const child = spawn(program, args, { env })
  const stdout: Buffer[] = []
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
  })
  // It may end without reading its input.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      resolve({ code: code ?? -1, stdout: Buffer.concat(stdout), stderr })
    })
  })
}

/** Runs a program against a cluster, to its end, with nothing of the user's environment but PATH. */
export async function runProgram(
  { program, kubeconfig, home }: ProgramSetting,
  args: readonly string[],
  input = '',
): Promise<ProgramResult> {
  const env = { PATH: process.env.PATH, HOME: home, KUBECONFIG: kubeconfig }
  const { code, stdout, stderr } = await runToEnd(program, args, env, input)
  return { code, stdout: stdout.toString('utf8'), stderr }
}
