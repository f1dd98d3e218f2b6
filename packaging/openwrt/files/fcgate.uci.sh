# From /etc/config/fcgate to the file that fcgate reads. Sourced by /etc/init.d/fcgate, after /lib/functions.sh;
# RUN is where what goes with fcgate lies.
# shellcheck shell=ash

# fcgate_line KEY VALUE: one line of the file; nothing for an empty value. What a line cannot carry (a comment begins with a semicolon behind a
# space) makes the whole file a wrong one: without such a value it could allow more than was meant.
fcgate_line() {
	case " $2" in
	' ') ;;
	*'
'* | *' ;'* | *'	;'*)
		logger -s -t fcgate -p daemon.err "the value for $1 has more than one line, or a semicolon behind a space: $2"
		echo "$1"
		;;
	*) echo "$1 = $2" ;;
	esac
}

# fcgate_seconds KEY VALUE: uhttpd counts in seconds, and 0 is none; here that is the shortest there is.
fcgate_seconds() {
	case "$2" in
	0) fcgate_line "$1" 1ms ;;
	*[!0-9]* | '') fcgate_line "$1" "$2" ;;
	*) fcgate_line "$1" "${2}s" ;;
	esac
}

# fcgate_option SECTION OPTION KEY [DEFAULT]
fcgate_option() {
	local value
	config_get value "$1" "$2" "$4"
	fcgate_line "$3" "$value"
}

# fcgate_time SECTION OPTION KEY...
fcgate_time() {
	local value key
	config_get value "$1" "$2"
	shift 2
	for key in "$@"; do
		fcgate_seconds "$key" "$value"
	done
}

# fcgate_list SECTION OPTION FUNCTION [ARGUMENT...]: for each value. What stands there as an option is a list of one: OpenWrt's
# function sees nothing of it, and an `allow` would be lost without a word.
fcgate_list() {
	local call="$3" length value
	config_get length "$1" "${2}_LENGTH"
	if [ -n "$length" ]; then
		config_list_foreach "$@"
		return
	fi
	config_get value "$1" "$2"
	shift 3
	[ -z "$value" ] || "$call" "$value" "$@"
}

# Called for each value of a list: VALUE KEY
fcgate_value() {
	fcgate_line "$2" "$1"
}

# VALUE is "KEY REST". Without a REST behind the space there is nothing behind the = either: an empty `spool` refuses what it would hold.
fcgate_pair() {
	local rest="${1#* }"
	if [ -n "$1" ] && [ -z "$rest" ]; then
		echo "${1%% *} ="
	else
		fcgate_line "${1%% *}" "$rest"
	fi
}

# VALUE [tls]: 80 and *:80 mean all addresses. As with uhttpd there may be several in one.
fcgate_listen() {
	local address="${1%% *}"
	case "$address" in
	\*:*) address="${address#\*}" ;;
	*[!0-9]* | '') ;;
	*) address=":$address" ;;
	esac
	fcgate_line listen "$address${address:+${2:+ $2}}"
	case "$1" in
	*' '*) fcgate_listen "${1#* }" "$2" ;;
	esac
}

fcgate_server() {
	local section="$1" https
	echo '[server]'
	fcgate_list "$section" listen_http fcgate_listen
	config_get https "$section" listen_https
	if [ -n "$https" ]; then
		fcgate_list "$section" listen_https fcgate_listen tls
		fcgate_option "$section" cert tls_certificate
		fcgate_option "$section" key tls_key
	fi
	# Where the service manager has not made it somebody else already.
	[ -n "$2" ] || fcgate_line user fcgate
	fcgate_line runtime_dir "$RUN/fcgate-$section"
	fcgate_option "$section" max_connections max_connections
	fcgate_time "$section" network_timeout body_timeout send_timeout
	fcgate_time "$section" http_keepalive keepalive_timeout
	fcgate_list "$section" server fcgate_pair
}

fcgate_backend() {
	local section="$1" php values
	config_get php "$section" php spawn
	[ "$php" != none ] || return 0
	echo '[backend]'
	fcgate_line address "$php"
	fcgate_option "$section" max_requests workers 3
	fcgate_time "$section" script_timeout response_timeout
	config_get values "$section" php_value
	case "$php $values" in
	*doc_root*) ;;
	# OpenWrt's php.ini says doc_root = "/www", and PHP would look for every script there.
	spawn* | auto*) fcgate_line php 'doc_root ""' ;;
	esac
	fcgate_list "$section" php_value fcgate_value php
	fcgate_list "$section" backend fcgate_pair
}

# uhttpd's error_page is what answers when nothing else does: a script is a front controller, anything else a page.
fcgate_error_page() {
	local page
	config_get page "$1" error_page
	case "$page" in
	'') ;;
	*.php) fcgate_line front_controller "$page" ;;
	*) fcgate_line error_page "404 $page" ;;
	esac
}

fcgate_hosts() {
	local filter
	config_get_bool filter "$1" rfc1918_filter 1
	if [ "$filter" -eq 0 ]; then
		fcgate_line host '*'
	else
		fcgate_line host '*.lan *.local'
		fcgate_list "$1" host fcgate_value host
	fi
}

fcgate_site() {
	local section="$1" redirect lists
	echo '[site]'
	fcgate_option "$section" home root /srv/fcgate
	fcgate_list "$section" index_page fcgate_value index
	fcgate_option "$section" front_controller front_controller
	fcgate_error_page "$section"
	fcgate_hosts "$section"
	config_get_bool redirect "$section" redirect_https 0
	[ "$redirect" -eq 0 ] || fcgate_line redirect_https yes
	# Folders are listed only where that was asked for.
	config_get_bool lists "$section" no_dirlists 1
	[ "$lists" -eq 1 ] || fcgate_line listing yes
	fcgate_option "$section" max_body max_body
	# The init script lets the jail see it.
	[ -z "$2" ] || fcgate_line spool "$RUN/fcgate-$section"
	fcgate_list "$section" site fcgate_pair
}

# fcgate_uci SECTION [JAILED]: prints the file for one section. With JAILED fcgate is started as the user fcgate.
fcgate_uci() {
	echo "; Made from section $1 of /etc/config/fcgate by /etc/init.d/fcgate; changes here get lost."
	fcgate_server "$1" "$2"
	fcgate_backend "$1"
	fcgate_site "$1" "$2"
}
