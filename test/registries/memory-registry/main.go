// A registry in memory with the referrers API, for tests: `memory-registry 127.0.0.1:5000`.
package main

import (
	"io"
	"log"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	quiet := log.New(io.Discard, "", 0)
	handler := registry.New(registry.WithReferrersSupport(true), registry.Logger(quiet))
	log.Fatal(http.ListenAndServe(os.Args[1], handler))
}
