// A Probot app whose handler does nothing and that keeps nothing: probot.js PORT, the secret of its hook in WEBHOOK_SECRET.
import { generateKeyPairSync } from "node:crypto";
import pino from "pino";
import { Probot, Server } from "probot";

const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs1", format: "pem" });
const log = pino({ level: "fatal" }); // a line for each delivery would cost it more than the delivery
const server = new Server({
  log,
  host: "127.0.0.1",
  port: Number(process.argv[2]),
  webhookPath: "/hook/forgejo",
  Probot: Probot.defaults({ appId: 1, privateKey: key, secret: process.env.WEBHOOK_SECRET, log }),
});
await server.load((app) => {
  app.on("pull_request.opened", async () => {});
});
await server.start();
