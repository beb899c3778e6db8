# One image for every service of the fleet, and for its command line: docker build -t homeostat:local .
# Behind a company's proxy: --secret id=npmrc,src=$HOME/.npmrc --secret id=ca,src=company.pem; neither is kept in the image.
FROM node:20-bookworm-slim AS base
WORKDIR /app

# What npm reads, apart from all else: as long as it stays the same, nothing is installed again.
FROM base AS manifests
COPY . .
RUN find . -type f ! -name package.json ! -name package-lock.json ! -name .npmrc -delete && find . -type d -empty -delete

FROM base AS packages
COPY --from=manifests /app ./
RUN --mount=type=cache,target=/root/.npm \
    --mount=type=secret,id=npmrc,target=/root/.npmrc \
    --mount=type=secret,id=ca,target=/tmp/ca.pem \
    if [ -s /tmp/ca.pem ]; then export NODE_EXTRA_CA_CERTS=/tmp/ca.pem; fi && \
    npm ci --ignore-scripts --omit=optional

FROM packages AS production
RUN npm prune --ignore-scripts --omit=dev --omit=optional && \
    find node_modules -type f \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' -o -name '*.md' \) -delete

FROM packages AS build
COPY tsconfig.base.json ./
COPY libs libs
COPY apps apps
RUN node_modules/.bin/tsc -b apps/* && mkdir /out && \
    find apps libs \( -name package.json -o -path '*/dist/*.js' \) ! -path 'libs/testing/*' ! -path '*/demo/*' | tar -cT - | tar -xC /out

# regsync, for the profile `directory` of docker-compose.yml: `docker build --target regsync .`; the image below goes without it, and without Go.
FROM golang:1.26-bookworm AS regsync-module
ARG GOPROXY
RUN --mount=type=secret,id=ca,target=/tmp/ca.pem \
    if [ -s /tmp/ca.pem ]; then export SSL_CERT_FILE=/tmp/ca.pem; fi && \
    CGO_ENABLED=0 GOBIN=/ go install github.com/regclient/regclient/cmd/regsync@v0.11.5

# Puts it where sync-svc looks for it; one that runs at this moment is replaced, and not written over.
FROM base AS regsync
COPY --from=regsync-module /regsync /regsync
CMD ["sh", "-c", "cp /regsync /opt/regsync/.new && mv /opt/regsync/.new /opt/regsync/regsync"]

FROM base
LABEL org.opencontainers.image.title="Homeostat" \
      org.opencontainers.image.description="A fleet of reconcilers: each service, and the command line" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production RECONCILER_HTTP_HOST=0.0.0.0 RECONCILER_HTTP_PORT=7080
COPY --from=production /app/node_modules node_modules
COPY LICENSE package.json ./
COPY deploy deploy
COPY --from=build /out ./
USER node
EXPOSE 7080
HEALTHCHECK --interval=10s --timeout=15s --retries=6 --start-period=60s --start-interval=1s CMD ["node", "deploy/ready.mjs"]
ENTRYPOINT ["node"]
CMD ["apps/homeostat/dist/main.js", "--help"]
