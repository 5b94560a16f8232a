# syntax=docker/dockerfile:1
# Both platforms: docker buildx build --platform=linux/amd64,linux/arm64 --tag=REPOSITORY:TAG --push .

# The bundle is JavaScript alone: it is made once, on the platform of the builder.
FROM --platform=$BUILDPLATFORM node:24-bookworm-slim AS build
WORKDIR /akv-issuer
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-fund --no-audit
COPY src src
RUN npm run --silent build && rm dist/meta.json

FROM gcr.io/distroless/nodejs24-debian12:nonroot
LABEL org.opencontainers.image.title="akv-issuer" \
      org.opencontainers.image.description="A cert-manager issuer for Azure Key Vault"
ENV NODE_ENV=production
COPY --from=build /akv-issuer/dist /akv-issuer
USER 65532:65532
EXPOSE 9402
ENTRYPOINT ["/nodejs/bin/node", "/akv-issuer/main.mjs"]
CMD ["run"]
