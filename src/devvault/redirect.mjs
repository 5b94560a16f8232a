/**
 * A preload for `node --import`: connections to names of Azure go to the dev vault, under their real
 * names. TLS still checks the real name, so a client runs with its production URLs, unchanged.
 *
 * AKV_DEVVAULT_CONNECT lists `host:port=address:port`, separated by commas; a host may begin with
 * `*.` (one label). An address of `!` makes the name unknown, as that of a deleted vault is.
 */
import { Socket } from 'node:net'

const rules = (process.env.AKV_DEVVAULT_CONNECT ?? '')
  .split(',')
  .filter((rule) => rule !== '')
  .map(parseRule)

if (rules.length > 0) {
  const shown = rules.map((rule) => `${rule.host}:${rule.port}`).join(', ')
  process.stderr.write(`WARNING: connections to ${shown} go to a dev vault (trial only)\n`)
  const connect = Socket.prototype.connect
  Socket.prototype.connect = function redirected(...args) {
    return connect.apply(this, redirect(args))
  }
}

/** `net.connect` hands its normalised arguments on as one array; everybody else plain ones. */
function redirect(args) {
  const first = args[0]
  if (Array.isArray(first)) {
    first[0] = target(first[0])
    return args
  }
  if (typeof first === 'object' && first !== null) return [target(first), ...args.slice(1)]
  if (typeof args[1] !== 'string') return args
  const changed = target({ port: first, host: args[1] })
  return [changed, ...args.slice(2)]
}

function target(options) {
  const rule = rules.find(
    (one) => one.port === Number(options.port) && one.covers(String(options.host).toLowerCase()),
  )
  if (rule === undefined) return options
  if (rule.address === undefined) {
    const error = new Error(`getaddrinfo ENOTFOUND ${options.host}`)
    Object.assign(error, { code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname: options.host })
    return { ...options, lookup: (_host, _options, done) => process.nextTick(done, error) }
  }
  return { ...options, host: rule.address, port: rule.toPort }
}

function parseRule(rule) {
  const match = /^([^:=]+):(\d+)=(?:!|([^:=]+):(\d+))$/.exec(rule)
  if (match === null) {
    throw new Error(`AKV_DEVVAULT_CONNECT: ${JSON.stringify(rule)} is not host:port=address:port`)
  }
  const [, host, port, address, toPort] = match
  const covers = host.startsWith('*.')
    ? (name) => name.endsWith(host.slice(1)) && !name.slice(0, 1 - host.length).includes('.')
    : (name) => name === host
  return { host, port: Number(port), covers, address, toPort: Number(toPort) }
}
