// E2B's JavaScript SDK against the address in E2B_URL: commands, streams, kill, files, lists, reconnect.
import assert from 'node:assert/strict'
import { CommandExitError, FileNotFoundError, Sandbox, SandboxNotFoundError } from 'e2b'

const url = process.env.E2B_URL
const opts = { apiKey: process.env.E2B_KEY, apiUrl: url, sandboxUrl: url }
const metadata = { by: 'javascript', odd: 'a b&c=ü%/+' }

async function until(condition) {
  for (let n = 0; n < 500; n++) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  assert.fail('it did not become true')
}

const sandbox = await Sandbox.create('base', { ...opts, timeoutMs: 60_000, metadata, envs: { SHARED: 'yes' } })

// Commands, and their output while it is written.
const hello = await sandbox.commands.run('echo $SHARED $PWD; echo err >&2', { timeoutMs: 0 })
assert.deepEqual([hello.stdout, hello.stderr, hello.exitCode], ['yes /home/user\n', 'err\n', 0])
await assert.rejects(sandbox.commands.run('exit 3', { timeoutMs: 0 }), (e) => e instanceof CommandExitError && e.exitCode === 3)
let seen = ''
const reader = await sandbox.commands.run('echo ready; read line; echo got $line', {
  background: true, stdin: true, timeoutMs: 0, onStdout: (text) => { seen += text },
})
await until(() => seen === 'ready\n')
await sandbox.commands.sendStdin(reader.pid, 'input\n')
assert.equal((await reader.wait()).stdout, 'ready\ngot input\n')
assert.equal(seen, 'ready\ngot input\n')
const large = await sandbox.commands.run("head -c 3000000 /dev/zero | tr '\\0' x", { timeoutMs: 0 })
assert.equal(large.stdout.length, 3_000_000)

// Lists and kills.
const sleeper = await sandbox.commands.run('sleep 300', { background: true, timeoutMs: 0 })
assert.deepEqual((await sandbox.commands.list()).map((process) => process.pid), [sleeper.pid])
assert.equal(await sandbox.commands.kill(sleeper.pid), true)
await assert.rejects(sleeper.wait(), CommandExitError)
assert.equal(await sandbox.commands.kill(sleeper.pid), false)

// Files.
const bytes = new Uint8Array(1_000_000).map((_, n) => n % 251)
await sandbox.files.write('deep/file.bin', bytes.buffer)
assert.deepEqual(await sandbox.files.read('deep/file.bin', { format: 'bytes' }), bytes)
await sandbox.files.write([{ path: '/tmp/one', data: '1' }, { path: 'two words', data: '2' }])
assert.equal(await sandbox.files.read('/tmp/one'), '1')
assert.deepEqual((await sandbox.files.list('/home/user', { depth: 2 })).map((e) => e.path), [
  '/home/user/deep', '/home/user/deep/file.bin', '/home/user/two words',
])
assert.equal((await sandbox.files.getInfo('deep/file.bin')).size, bytes.length)
assert.equal(await sandbox.files.makeDir('deep'), false)
await sandbox.files.rename('deep', 'moved')
await sandbox.files.remove('moved/file.bin')
assert.equal(await sandbox.files.exists('moved/file.bin'), false)
await assert.rejects(sandbox.files.read('moved/file.bin'), FileNotFoundError)

// Another client finds it, connects, and goes on with what runs; also after a pause.
const pages = Sandbox.list({ ...opts, query: { metadata } })
assert.deepEqual((await pages.nextItems()).map((found) => found.sandboxId), [sandbox.sandboxId])
const beating = await sandbox.commands.run('while sleep 0.05; do echo beat; done', { background: true, timeoutMs: 0 })
const other = await Sandbox.connect(sandbox.sandboxId, { ...opts, timeoutMs: 60_000 })
await beating.disconnect()
let beats = 0
await other.commands.connect(beating.pid, { timeoutMs: 0, onStdout: () => { beats += 1 } })
await until(() => beats > 2)
await other.pause()
assert.equal(await other.isRunning(), false)
const awake = await Sandbox.connect(sandbox.sandboxId, opts)
const later = await awake.commands.connect(beating.pid, { timeoutMs: 0 })
await until(() => later.stdout.includes('beat'))
assert.equal(await later.kill(), true)
await assert.rejects(later.wait(), CommandExitError)

// A snapshot is where another sandbox begins.
const { snapshotId } = await awake.createSnapshot()
await awake.files.write('two words', 'changed')
const fresh = await Sandbox.create(snapshotId, { ...opts, timeoutMs: 60_000 })
assert.equal(await fresh.files.read('two words'), '2')
assert.equal(await fresh.kill(), true)
assert.equal(await Sandbox.deleteSnapshot(snapshotId, opts), true)
assert.equal(await Sandbox.deleteSnapshot(snapshotId, opts), false)

// The end.
await awake.setTimeout(30_000)
assert.deepEqual((await awake.getInfo()).metadata, metadata)
assert.equal(await awake.kill(), true)
assert.equal(await sandbox.isRunning(), false)
await assert.rejects(Sandbox.connect(sandbox.sandboxId, opts), SandboxNotFoundError)
assert.equal(await Sandbox.kill(sandbox.sandboxId, opts), false)
console.log('everything was as expected')
process.exit(0)
