package safepoint

import "log/slog"

// trace logs one step of the protocol. The caller has checked w.tracing, so
// that nothing is computed in vain, and holds no lock.
func (w *World) trace(msg string, attrs ...slog.Attr) {
	w.log.LogAttrs(background, LevelTrace, "safepoint: "+msg, attrs...)
}

func (p *Pause) attrs(more ...slog.Attr) []slog.Attr {
	attrs := []slog.Attr{slog.Uint64("epoch", p.epoch), levelAttr(p.level)}
	if p.by != nil {
		attrs = append(attrs, slog.Any("context", p.by))
	} else {
		attrs = append(attrs, slog.Uint64("goroutine", p.goroutine))
	}
	return append(attrs, more...)
}

// levelAttr avoids the key that slog has taken for the record's own level.
func levelAttr(l Level) slog.Attr { return slog.Int("pauseLevel", int(l)) }

func (w *World) tracePause(msg string, p *Pause) {
	if w.tracing {
		w.trace(msg, p.attrs()...)
	}
}

func (w *World) traceStopped(p *Pause) {
	if w.tracing {
		w.trace("all stopped", p.attrs(slog.Duration("timeToStop", p.timeToStop), slog.Int("contexts", w.registry.len()))...)
	}
}

func (w *World) traceFinish(p *Pause, ran bool, admitted uint64) {
	if !w.tracing {
		return
	}
	msg := "finish"
	if !ran {
		msg = "give up"
	}
	w.trace(msg, p.attrs(slog.Uint64("admitted", admitted), slog.Any("err", p.outcome))...)
}
